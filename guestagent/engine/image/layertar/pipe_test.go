//go:build linux

package layertar

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"time"
)

func TestPipeKeepsBytesAndTheEnd(t *testing.T) {
	want := make([]byte, 3*ChunkBytes+17)
	if _, err := rand.Read(want); err != nil {
		t.Fatal(err)
	}
	for _, end := range []error{nil, errors.New("cut")} {
		p := NewPipe(context.Background())
		go func() {
			for rest := want; len(rest) > 0; {
				n := min(len(rest), 100_000)
				if _, err := p.Write(rest[:n]); err != nil {
					t.Error(err)
				}
				rest = rest[n:]
			}
			p.CloseWithError(end)
		}()
		got, err := io.ReadAll(p)
		if !bytes.Equal(got, want) || !errors.Is(err, end) {
			t.Errorf("%d bytes, %v; want %d, %v", len(got), err, len(want), end)
		}
	}
}

func TestPipeNeverBlocksWithoutAReader(t *testing.T) {
	big := make([]byte, (pipeChunks+2)*ChunkBytes)
	p := NewPipe(context.Background())
	p.CloseRead()
	p.CloseRead()
	if _, err := p.Write(big); !errors.Is(err, errReaderGone) {
		t.Errorf("reader left: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	p = NewPipe(ctx)
	if _, err := p.Write(big); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("context ended: %v", err)
	}
	if _, err := NewPipe(ctx).Read(make([]byte, 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("read after the context ended: %v", err)
	}
}
