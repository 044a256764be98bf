package stall

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"
)

// slow gives one byte a pause.
type slow struct {
	ctx   context.Context //nolint:containedctx // a test's reader
	pause time.Duration
	left  int
}

func (s *slow) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(s.pause):
		s.left--
		p[0] = 'x'
		return 1, nil
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
}

func TestASlowTransferIsNoStall(t *testing.T) {
	ctx, dog := Watch(context.Background(), 300*time.Millisecond)
	defer dog.Stop()
	got, err := io.ReadAll(dog.Reader(&slow{ctx: ctx, pause: 20 * time.Millisecond, left: 25}))
	if err != nil || len(got) != 25 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestAStandstillEndsAndIsNamed(t *testing.T) {
	ctx, dog := Watch(context.Background(), 20*time.Millisecond)
	defer dog.Stop()
	_, err := io.ReadAll(dog.Reader(&slow{ctx: ctx, pause: time.Hour, left: 1}))
	if err = dog.Cause(ctx, err); !errors.Is(err, ErrStalled) {
		t.Errorf("error = %v", err)
	}
}

func TestTheClockRunsDuringReadsOnly(t *testing.T) {
	ctx, dog := Watch(context.Background(), 30*time.Millisecond)
	defer dog.Stop()
	r := dog.Reader(bytes.NewReader([]byte("abc")))
	for range 3 {
		if _, err := r.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(60 * time.Millisecond) // whoever reads is busy elsewhere
	}
	if ctx.Err() != nil {
		t.Errorf("the context ended: %v", context.Cause(ctx))
	}
	other := errors.New("other")
	if err := dog.Cause(ctx, other); !errors.Is(err, other) {
		t.Errorf("Cause = %v", err)
	}
}
