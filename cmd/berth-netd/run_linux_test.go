package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/engine/network/netdproto"
	"github.com/berthhq/berth/internal/paths"
)

func TestRunServesUntilItIsTold(t *testing.T) {
	run := start(t, "-run", t.TempDir())
	if code := run(func(ctx context.Context, c *netdproto.Client) error { return c.Stop(ctx) }); code != 0 {
		t.Errorf("after stop: exit code %d", code)
	}
}

func TestRunEndsBySignal(t *testing.T) {
	run := start(t, "-run", t.TempDir())
	if code := run(func(context.Context, *netdproto.Client) error { return unix.Kill(os.Getpid(), unix.SIGTERM) }); code != 0 {
		t.Errorf("after SIGTERM: exit code %d", code)
	}
}

// start runs the program; the function it returns waits for it to answer, does something and gives the exit code.
func start(t *testing.T, args ...string) func(func(context.Context, *netdproto.Client) error) int {
	t.Helper()
	code := make(chan int, 1)
	go func() { code <- run(args, &strings.Builder{}) }()
	return func(do func(context.Context, *netdproto.Client) error) int {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		c := netdproto.NewClient(paths.Layout{Run: args[1]}.NetdSocket(), func() error { return nil })
		defer c.Close()
		if err := c.Ensure(ctx); err != nil {
			t.Fatal(err)
		}
		if err := do(ctx, c); err != nil {
			t.Fatal(err)
		}
		select {
		case n := <-code:
			return n
		case <-ctx.Done():
			t.Fatal("it does not end")
			return -1
		}
	}
}

func TestRunRefuses(t *testing.T) {
	var out strings.Builder
	if code := run([]string{"-nonsense"}, &out); code != 2 || !strings.Contains(out.String(), "nonsense") {
		t.Errorf("code %d: %s", code, out.String())
	}
	out.Reset()
	missing := filepath.Join(t.TempDir(), "no", "such")
	if code := run([]string{"-run", missing}, &out); code != 1 || !strings.HasPrefix(out.String(), "berth-netd: ") {
		t.Errorf("code %d: %s", code, out.String())
	}
}
