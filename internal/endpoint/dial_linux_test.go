package endpoint

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// own is an endpoint below a short directory: socket names are bounded.
func own(t *testing.T) Endpoint {
	t.Helper()
	dir, err := os.MkdirTemp("", "ep")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l := paths.For(dir)
	if err := os.MkdirAll(l.Run, 0o755); err != nil {
		t.Fatal(err)
	}
	return Endpoint{Host: "unix://" + l.Socket(), Source: SourceDefault, Layout: l}
}

func serve(t *testing.T, socket string) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Error(err)
		return
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
}

// dialAtOnce dials n times, all at once.
func dialAtOnce(t *testing.T, d *Dialer, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			c, err := d.Dial(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			_ = c.Close()
		})
	}
	wg.Wait()
}

func TestManyDialsStartOneEngine(t *testing.T) {
	e := own(t)
	var starts atomic.Int32
	d := &Dialer{Endpoint: e, start: func(context.Context, Endpoint, io.Writer) error {
		starts.Add(1)
		serve(t, e.Layout.Socket())
		return nil
	}}
	dialAtOnce(t, d, 8)
	if n := starts.Load(); n != 1 {
		t.Fatalf("%d engines started", n)
	}
}

func TestOnlyOurOwnEngineIsStarted(t *testing.T) {
	e := own(t)
	never := func(context.Context, Endpoint, io.Writer) error { t.Error("started"); return nil }
	other := Endpoint{Host: "unix:///nonexistent/x.sock", Source: SourceEnv, Layout: e.Layout}
	for name, d := range map[string]*Dialer{
		"completion": {Endpoint: e, NoStart: true, start: never},
		"another's":  {Endpoint: other, start: never},
	} {
		_, err := d.Dial(t.Context())
		if errdefs.KindOf(err) != errdefs.KindUnavailable || errdefs.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// script is a program that stands for the engine.
func script(t *testing.T, body string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), engineProgram)
	if err := os.WriteFile(p, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAnEngineThatDiesIsToldByItsLastLine(t *testing.T) {
	e := own(t)
	err := launch(t.Context(), script(t, "echo first; echo 'no cgroups here' >&2; exit 1"), e, io.Discard)
	if errdefs.KindOf(err) != errdefs.KindUnavailable || !strings.Contains(err.Error(), "no cgroups here") {
		t.Fatalf("error %v", err)
	}
	if h := errdefs.HintOf(err); !strings.Contains(h, e.Layout.EngineLog()) {
		t.Fatalf("hint %q", h)
	}
	err = launch(t.Context(), script(t, "exit 1"), e, io.Discard)
	if err == nil || strings.Contains(err.Error(), "no cgroups here") {
		t.Fatalf("an earlier engine's line: %v", err)
	}
}

func TestTheStartIsSaidOnce(t *testing.T) {
	e := own(t)
	serve(t, e.Layout.Socket())
	var notice bytes.Buffer
	if err := launch(t.Context(), script(t, "sleep 0.5"), e, &notice); err != nil {
		t.Fatal(err)
	}
	if want := "berth: started the engine (state in " + e.Layout.Root + ")\n"; notice.String() != want {
		t.Fatalf("said %q", notice.String())
	}
}

// Our engine leaves because another holds the lock; that one's socket is waited for.
func TestWaitsForTheEngineThatWonTheRace(t *testing.T) {
	e := own(t)
	if err := os.WriteFile(e.Layout.EngineLock(), []byte("1\n"), 0o600); err != nil { // a pid that lives
		t.Fatal(err)
	}
	exited := make(chan struct{})
	close(exited)
	go serve(t, e.Layout.Socket())
	if !waitSocket(t.Context(), e.Layout.Socket(), e.Layout.EngineLock(), exited) {
		t.Fatal("gave up")
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	e := own(t)
	if waitSocket(ctx, e.Layout.Socket(), e.Layout.EngineLock(), make(chan struct{})) {
		t.Fatal("nothing answers")
	}
}
