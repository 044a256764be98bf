package agentapi

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func netFrame(b []byte) []byte {
	out := make([]byte, NetPrefix, NetPrefix+len(b))
	PutNetPrefix(out, len(b))
	return append(out, b...)
}

func TestNetFramesAreReadAsTheyWereWritten(t *testing.T) {
	small, large := bytes.Repeat([]byte{1}, minNetFrame), bytes.Repeat([]byte{2}, MaxNetFrame)
	r := bytes.NewReader(append(netFrame(small), netFrame(large)...))
	buf := make([]byte, MaxNetFrame)
	for _, want := range [][]byte{small, large} {
		if got, err := ReadNetFrame(r, buf); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	if _, err := ReadNetFrame(r, buf); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	for _, n := range []int{0, minNetFrame - 1, MaxNetFrame + 1} {
		if _, err := ReadNetFrame(bytes.NewReader(netFrame(make([]byte, n))), buf); err == nil {
			t.Errorf("a frame of %d bytes is read", n)
		}
	}
	if _, err := ReadNetFrame(bytes.NewReader(netFrame(small)[:20]), buf); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a frame that is cut: %v", err)
	}
}

func FuzzReadNetFrame(f *testing.F) {
	f.Add(netFrame(make([]byte, minNetFrame)))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, buf := bytes.NewReader(raw), make([]byte, MaxNetFrame)
		for {
			b, err := ReadNetFrame(r, buf)
			if err != nil {
				return
			}
			if len(b) < minNetFrame || len(b) > MaxNetFrame {
				t.Fatalf("%d bytes", len(b))
			}
		}
	})
}
