package agentapi

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestChunksKeepTheirBounds(t *testing.T) {
	var stream bytes.Buffer
	size := Size{Rows: 50, Cols: 300}
	for _, c := range []struct {
		kind ShellKind
		data []byte
	}{{ShellIn, []byte("one")}, {ShellIn, nil}, {ShellOut, bytes.Repeat([]byte("x"), MaxChunk)}, {ShellSize, size.Chunk()}} {
		if err := WriteChunk(&stream, c.kind, c.data); err != nil {
			t.Fatal(err)
		}
		kind, got, err := ReadChunk(&stream, make([]byte, MaxChunk))
		if err != nil || kind != c.kind || !bytes.Equal(got, c.data) {
			t.Errorf("kind %d, %d bytes, %v; want kind %d, %d", kind, len(got), err, c.kind, len(c.data))
		}
	}
	if got, err := SizeOf(size.Chunk()); err != nil || got != size {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := SizeOf([]byte{1}); err == nil {
		t.Error("a size of one byte")
	}
	if err := WriteChunk(&stream, ShellIn, make([]byte, MaxChunk+1)); err == nil {
		t.Error("a chunk beyond the bound is written")
	}
	buf := make([]byte, MaxChunk)
	if _, _, err := ReadChunk(bytes.NewReader([]byte{1, 0xff, 0xff}), buf); err == nil {
		t.Error("a chunk beyond the bound is read")
	}
	if _, _, err := ReadChunk(bytes.NewReader(nil), buf); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	for _, cut := range []string{"\x01\x00", "\x01\x00\x02", "\x01\x00\x02x"} {
		if _, _, err := ReadChunk(bytes.NewReader([]byte(cut)), buf); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %v", cut, err)
		}
	}
}
