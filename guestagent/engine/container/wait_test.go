//go:build linux

package container

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

// answer is what a wait gave, or nothing yet.
func answer(t *testing.T, w *world, ref string, cond container.WaitCondition) <-chan container.WaitResponse {
	t.Helper()
	wait, err := w.ContainerWait(context.Background(), ref, cond)
	if err != nil {
		t.Fatal(err)
	}
	ch := make(chan container.WaitResponse, 1)
	go func() {
		if resp, err := wait(context.Background()); err == nil {
			ch <- resp
		}
	}()
	return ch
}

func expect(t *testing.T, ch <-chan container.WaitResponse, code int64) {
	t.Helper()
	select {
	case resp := <-ch:
		if resp.StatusCode != code {
			t.Errorf("code %d, want %d", resp.StatusCode, code)
		}
	case <-time.After(patience):
		t.Error("nothing was answered")
	}
}

func quiet(t *testing.T, ch <-chan container.WaitResponse) {
	t.Helper()
	select {
	case resp := <-ch:
		t.Errorf("answered too early: %+v", resp)
	case <-time.After(20 * time.Millisecond):
	}
}

func TestWaitConditions(t *testing.T) {
	w := newWorld(t)
	id := w.create("web")
	expect(t, answer(t, w, "web", container.WaitConditionNotRunning), 0) // it has not even begun
	next := answer(t, w, "web", container.WaitConditionNextExit)
	removed := answer(t, w, "web", container.WaitConditionRemoved)
	if err := w.ContainerStart(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	stopped := answer(t, w, "web", "")
	quiet(t, next)
	quiet(t, stopped)
	w.rt.exit(id, 7)
	expect(t, next, 7)
	expect(t, stopped, 7)
	quiet(t, removed)
	quiet(t, answer(t, w, "web", container.WaitConditionNextExit)) // the last one does not count
	if err := w.ContainerRemove(context.Background(), id, false, false, false); err != nil {
		t.Fatal(err)
	}
	expect(t, removed, 7)
	_, err := w.ContainerWait(context.Background(), w.create("x2"), "whenever")
	wantKind(t, err, errdefs.KindInvalid, `invalid condition: "whenever"`)
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	w.run("web")
	wait, err := w.ContainerWait(context.Background(), "web", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// What ran on the machine's resources is given back before anybody learns of the end: a port can be taken again at once.
func TestWhoWaitedFindsEverythingFree(t *testing.T) {
	w := newWorld(t)
	for range 30 {
		id := w.run("web", autoRemove)
		gone := answer(t, w, id, container.WaitConditionRemoved)
		stopped := answer(t, w, id, container.WaitConditionNotRunning)
		w.rt.exit(id, 0)
		expect(t, stopped, 0)
		if w.nets.attached() != 0 || w.rt.known() != 0 {
			t.Fatal("the end is known and its network or process is still there")
		}
		expect(t, gone, 0)
		if _, err := w.ID("web"); err == nil {
			t.Fatal("removed, and its name is taken")
		}
	}
}
