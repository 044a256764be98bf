package stream

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestDemux(t *testing.T) {
	for _, c := range []struct {
		name          string
		in            []byte
		out, err, bad string
	}{
		{name: "nothing"},
		{name: "both", in: slices.Concat(frame(1, "a"), frame(2, "b"), frame(0, "c"), frame(1, "")), out: "ac", err: "b"},
		{name: "cut in a header", in: slices.Concat(frame(1, "a"), []byte{1, 0, 0}), out: "a"},
		{name: "cut in a frame", in: frame(1, "abc")[:10], out: "ab"},
		{name: "the engine's complaint", in: slices.Concat(frame(1, "a"), frame(3, "broken")), out: "a", bad: "broken"},
		{name: "no frame", in: []byte("\x09plain text"), bad: "unrecognized input header: 9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			err := Demux(&out, &errOut, bytes.NewReader(c.in))
			if out.String() != c.out || errOut.String() != c.err {
				t.Fatalf("out %q, err %q", out.String(), errOut.String())
			}
			if (err != nil) != (c.bad != "") || err != nil && !strings.Contains(err.Error(), c.bad) {
				t.Fatalf("error %v", err)
			}
		})
	}
}

func TestDemuxDropsWhatIsNotWanted(t *testing.T) {
	var out bytes.Buffer
	if err := Demux(&out, nil, bytes.NewReader(slices.Concat(frame(2, "x"), frame(1, "y")))); err != nil || out.String() != "y" {
		t.Fatalf("out %q, error %v", out.String(), err)
	}
}

// A frame may claim 4 GiB: nothing is allocated for what has not come.
func TestALengthIsOnlyAClaim(t *testing.T) {
	for kind := range byte(4) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var out bytes.Buffer
		_ = Demux(&out, nil, bytes.NewReader([]byte{kind, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 'x'}))
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Errorf("kind %d: %d bytes allocated", kind, got)
		}
	}
}

func TestDemuxTellsThatItCannotWrite(t *testing.T) {
	if err := Demux(failing{}, nil, bytes.NewReader(frame(1, "x"))); !errors.Is(err, errFull) {
		t.Fatalf("error %v", err)
	}
}

var errFull = errors.New("disk full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

func FuzzDemux(f *testing.F) {
	f.Add(frame(1, "hello"))
	f.Add(frame(2, ""))
	f.Add([]byte{3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		var out, errOut bytes.Buffer
		_ = Demux(&out, &errOut, bytes.NewReader(b)) // what is no frame is an error, never a panic
		if out.Len()+errOut.Len() > len(b) {
			t.Fatalf("%d bytes out of %d", out.Len()+errOut.Len(), len(b))
		}
	})
}
