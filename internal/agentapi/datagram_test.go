package agentapi

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestDatagramsKeepTheirBounds(t *testing.T) {
	var stream bytes.Buffer
	sent := [][]byte{[]byte("one"), {}, bytes.Repeat([]byte("x"), MaxDatagram)}
	for _, d := range sent {
		if err := WriteDatagram(&stream, d); err != nil {
			t.Fatal(err)
		}
	}
	if err := WriteDatagram(&stream, make([]byte, MaxDatagram+1)); err == nil {
		t.Error("a datagram beyond the bound")
	}
	buf := make([]byte, MaxDatagram)
	for _, want := range sent {
		if got, err := ReadDatagram(&stream, buf); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes, %v; want %d", len(got), err, len(want))
		}
	}
	if _, err := ReadDatagram(&stream, buf); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	for _, cut := range []string{"\x00", "\x00\x02", "\x00\x02x"} {
		if _, err := ReadDatagram(bytes.NewReader([]byte(cut)), buf); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %v", cut, err)
		}
	}
}
