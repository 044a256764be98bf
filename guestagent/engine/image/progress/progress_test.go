package progress

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/moby/moby/api/types/jsonstream"
)

func TestMessagesAreDockers(t *testing.T) {
	var b bytes.Buffer
	p := New(&b)
	p.Line("24.04", "Pulling from library/ubuntu")
	p.State("abc", "Pulling fs layer")
	p.Count("abc", "Downloading", 5, 10)
	p.Line("", "Digest: sha256:1")
	p.Stream("Loaded image: x:1\n")
	p.Aux(map[string]string{"Tag": "1"})
	want := `{"status":"Pulling from library/ubuntu","id":"24.04"}
{"status":"Pulling fs layer","progressDetail":{},"id":"abc"}
{"status":"Downloading","progressDetail":{"current":5,"total":10},"id":"abc"}
{"status":"Digest: sha256:1"}
{"stream":"Loaded image: x:1\n"}
{"aux":{"Tag":"1"}}
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestCountersAreThinnedButTheLastIsSent(t *testing.T) {
	var b bytes.Buffer
	p := New(&b)
	for i := range int64(1000) {
		p.Count("a", "Downloading", i+1, 1000)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) > 100 {
		t.Errorf("%d lines", len(lines))
	}
	var m jsonstream.Message
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &m); err != nil || m.Progress.Current != 1000 {
		t.Errorf("last line %s (%v)", lines[len(lines)-1], err)
	}
}

type failing struct{ writes int }

func (f *failing) Write([]byte) (int, error) { f.writes++; return 0, errors.New("gone") }

func TestNothingIsWrittenAfterTheClientLeft(t *testing.T) {
	f := &failing{}
	p := New(f)
	for range 10 {
		p.Line("", "x")
	}
	if f.writes != 1 {
		t.Errorf("%d writes", f.writes)
	}
	New(nil).Line("", "nobody listens")
}

func TestLinesOfManyGoroutinesStayWhole(t *testing.T) {
	var b bytes.Buffer
	p := New(&b)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				p.State("id", "state")
			}
		})
	}
	wg.Wait()
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 1600 {
		t.Errorf("%d lines", len(lines))
	}
	for _, l := range lines {
		if !json.Valid([]byte(l)) {
			t.Fatalf("broken line %q", l)
		}
	}
}
