package hostagent_test

import (
	"io"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
)

func TestAShellIsAStreamToTheGuest(t *testing.T) {
	h := newHost(t)
	_, end := h.agent()
	defer end()
	c := h.client()
	if s, err := c.Shell(t.Context()); errdefs.KindOf(err) != errdefs.KindConflict {
		t.Fatalf("in a machine that does not run: %v, %v", s, err)
	}
	if _, err := c.Start(t.Context(), func(string) {}); err != nil {
		t.Fatal(err)
	}
	s, err := c.Shell(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sent, got := "bytes \x00\xff", make([]byte, 8)
	if _, err := io.WriteString(s, sent); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(s, got); err != nil || string(got) != sent {
		t.Errorf("%q, %v", got, err)
	}
	h.h.mu.Lock()
	h.h.noShell = true
	h.h.mu.Unlock()
	if s, err := c.Shell(t.Context()); errdefs.KindOf(err) != errdefs.KindNotImplemented {
		t.Errorf("an image without one: %v, %v", s, err)
	}
	// The end of the machine is the stream's.
	_ = h.h.only().Kill(t.Context())
	if n, err := s.Read(got); err == nil {
		t.Errorf("%d bytes of a machine that has ended", n)
	}
}
