package classic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	controlapi "github.com/moby/buildkit/api/services/control"
	gatewayapi "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/moby/api/types/jsonstream"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// told is what a printer has written: the text of "stream", with IDs masked.
func told(t *testing.T, b *bytes.Buffer) string {
	t.Helper()
	var out strings.Builder
	for dec := json.NewDecoder(b); dec.More(); {
		var m struct {
			Stream string
			Aux    struct{ ID string }
		}
		if err := dec.Decode(&m); err != nil {
			t.Fatal(err)
		}
		out.WriteString(m.Stream)
		if m.Aux.ID != "" {
			fmt.Fprintf(&out, "aux %s\n", m.Aux.ID)
		}
	}
	return regexp.MustCompile(`\b[0-9a-f]{12}\b`).ReplaceAllString(out.String(), "ID")
}

// vertex is the news of a command that has run, or came from the cache.
func vertex(name string, cached bool, output string) *controlapi.StatusResponse {
	digest := "sha256:" + fmt.Sprintf("%064x", name)[:64]
	v := &controlapi.Vertex{Digest: digest, Name: name, Started: timestamppb.Now(), Completed: timestamppb.Now(), Cached: cached}
	r := &controlapi.StatusResponse{Vertexes: []*controlapi.Vertex{v}}
	if output != "" {
		r.Logs = []*controlapi.VertexLog{{Vertex: digest, Stream: 1, Msg: []byte(output)}}
	}
	return r
}

func plan(t *testing.T, text string, o Options) *Plan {
	t.Helper()
	p, err := Parse([]byte(text), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const twoStages = "ARG BASE=bb\nFROM ${BASE} AS one\nRUN make\nFROM scratch\nCOPY --from=one /x /x\nENV A=b\n"

// Steps are told in the order of the Dockerfile, whatever the order in which they are done.
func TestStepsInOrder(t *testing.T) {
	var b bytes.Buffer
	p := NewPrinter(plan(t, twoStages, Options{}), false, NewMemory(), &b)
	p.Base("bb", "sha256:"+strings.Repeat("1", 64), nil)
	for _, r := range []*controlapi.StatusResponse{vertex("[stage-1 1/1] COPY --from=one /x /x", false, ""), vertex("[one 2/2] RUN make", false, "made\n")} {
		if err := p.Update(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Finish("sha256:" + strings.Repeat("2", 64)); err != nil {
		t.Fatal(err)
	}
	want := `Step 1/6 : ARG BASE=bb
Step 2/6 : FROM ${BASE} AS one
 ---> ID
Step 3/6 : RUN make
 ---> Running in ID
made
 ---> Removed intermediate container ID
 ---> ID
Step 4/6 : FROM scratch
 ---> 
Step 5/6 : COPY --from=one /x /x
 ---> ID
Step 6/6 : ENV A=b
 ---> Running in ID
 ---> Removed intermediate container ID
 ---> ID
aux sha256:` + strings.Repeat("2", 64) + `
Successfully built ID
`
	if got := told(t, &b); got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}

// A step that only changes the configuration comes from the cache where it was made before, on what was made before.
func TestCachedConfiguration(t *testing.T) {
	past := NewMemory()
	for i, tc := range []struct {
		cached bool
		past   *Memory
		uses   int
	}{{false, past, 0}, {true, past, 2}, {false, past, 0}, {true, nil, 1}} {
		var b bytes.Buffer
		p := NewPrinter(plan(t, "FROM bb\nRUN make\nENV A=b\n", Options{}), true, tc.past, &b)
		if err := errors.Join(p.Update(vertex("[2/2] RUN make", tc.cached, "")), p.Finish("sha256:"+strings.Repeat("2", 64))); err != nil {
			t.Fatal(err)
		}
		text := told(t, &b)
		if n := strings.Count(text, "Using cache"); n != tc.uses || strings.Contains(text, "Removed") {
			t.Errorf("build %d uses the cache %d times, want %d, and removes no container: %s", i, n, tc.uses, text)
		}
	}
}

// unstarted is the error of a command that was not even executed.
type unstarted struct{}

func (unstarted) Error() string      { return "exit code: 127" }
func (unstarted) NotStarted() string { return `exec: "make": not there` }

func TestFailure(t *testing.T) {
	const file = "FROM bb\nRUN make\nCOPY a /a\nCOPY ../b /b\nADD http://x/y /y\n"
	failed := func(name string) *controlapi.StatusResponse {
		r := vertex(name, false, "")
		r.Vertexes[0].Error = "x"
		return r
	}
	for _, tc := range []struct {
		vertex string
		err    error
		want   jsonstream.Error
	}{
		{"[2/5] RUN make", &gatewayapi.ExitError{ExitCode: 4}, jsonstream.Error{Code: 4, Message: "The command '/bin/sh -c make' returned a non-zero code: 4"}},
		{"[2/5] RUN make", &gatewayapi.ExitError{ExitCode: 127, Err: unstarted{}}, jsonstream.Error{Message: `failed to create task for container: exec: "make": not there`}},
		{"[2/5] RUN make", errors.New(`process "/bin/sh -c make" did not complete successfully: no such user`), jsonstream.Error{Message: "no such user"}},
		{"[3/5] COPY a /a", errors.New(`failed to compute cache key: failed to calculate checksum of ref x::y: "/a": not found`),
			jsonstream.Error{Message: "COPY failed: file not found in build context or excluded by .dockerignore: stat a: file does not exist"}},
		{"[4/5] COPY ../b /b", errors.New(`failed to compute cache key: failed to calculate checksum of ref x::y: "/b": not found`),
			jsonstream.Error{Message: "COPY failed: forbidden path outside the build context: ../b ()"}},
		{"[5/5] ADD http://x/y /y", errors.New(`failed to load cache key: no route`), jsonstream.Error{Message: "ADD failed: no route"}},
	} {
		p := NewPrinter(plan(t, file, Options{}), false, nil, &bytes.Buffer{})
		if err := p.Update(failed(tc.vertex)); err != nil {
			t.Fatal(err)
		}
		var got *jsonstream.Error
		if !errors.As(p.Failure(tc.err), &got) || *got != tc.want {
			t.Errorf("%s: %v is told as %+v, want %+v", tc.vertex, tc.err, got, tc.want)
		}
	}
}

// What a base image wants executed is told with the step that names it.
func TestTriggers(t *testing.T) {
	var b bytes.Buffer
	p := NewPrinter(plan(t, "FROM bb\nENV A=b\n", Options{}), false, nil, &b)
	p.Base("bb", "sha256:"+strings.Repeat("1", 64), []string{"RUN make", "ENV C=d"})
	err := errors.Join(p.Update(vertex("[2/2] ONBUILD RUN make", false, "made\n")), p.Finish("sha256:"+strings.Repeat("2", 64)))
	want := "Step 1/2 : FROM bb\n# Executing 2 build triggers\nmade\n ---> ID\nStep 2/2 : ENV A=b\n"
	if got := told(t, &b); err != nil || !strings.HasPrefix(got, want) {
		t.Errorf("it says %q (%v), want %q", got, err, want)
	}
}

func TestPlan(t *testing.T) {
	value := "other"
	p := plan(t, twoStages, Options{Args: map[string]*string{"BASE": &value, "X": &value}, Labels: map[string]string{"l": "v"}})
	if len(p.Bases) != 1 || p.Bases[0].Name != "other" || len(p.Unused) != 1 || p.Unused[0] != "X" || len(p.Steps) != 7 || p.Empty {
		t.Errorf("%+v", p)
	}
	if p = plan(t, twoStages, Options{Target: "one"}); len(p.Steps) != 3 {
		t.Errorf("up to the target there are %d steps", len(p.Steps))
	}
	if !plan(t, "FROM scratch\n", Options{}).Empty || plan(t, "FROM scratch\nENV A=b\n", Options{}).Empty {
		t.Error("a target without an image is not told from one with")
	}
	for text, want := range map[string]string{
		"# nothing\n":     "failed to parse Dockerfile: file with no instructions",
		"FROOM x\n":       "unknown instruction: FROOM",
		"FROM x\nFOO y\n": "dockerfile parse error on line 2: unknown instruction: FOO",
	} {
		if _, err := Parse([]byte(text), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v", text, err)
		}
	}
	if _, err := Parse([]byte("FROM x AS a\n"), Options{Target: "b"}); err == nil || !strings.Contains(err.Error(), `target stage "b" could not be found`) {
		t.Errorf("a target that is not there gives %v", err)
	}
}
