//go:build linux

package container

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

func TestSettle(t *testing.T) {
	w := newWorld(t)
	id := w.run("web")
	e, err := w.find(id)
	if err != nil {
		t.Fatal(err)
	}
	alive := exec.Command("sleep", "1000")
	if err := alive.Start(); err != nil {
		t.Fatal(err)
	}
	e.mu.Lock()
	pid := e.rec.State.Pid
	e.rec.State.Pid = alive.Process.Pid
	e.mu.Unlock()
	if w.Settle(context.Background(), []string{id}) {
		t.Error("a container that runs was waited for")
	}
	_ = alive.Process.Kill() // a zombie until it is waited for
	for !over(alive.Process.Pid) {
		time.Sleep(time.Millisecond)
	}
	settled := make(chan bool, 1)
	go func() { settled <- w.Settle(context.Background(), []string{id}) }()
	select {
	case <-settled:
		t.Fatal("an end that is not written down was not waited for")
	case <-time.After(50 * time.Millisecond):
	}
	_ = alive.Wait()
	e.mu.Lock()
	e.rec.State.Pid = pid
	e.ending = true
	e.wake()
	e.mu.Unlock()
	select {
	case <-settled:
		t.Fatal("the end under way was not waited for")
	case <-time.After(50 * time.Millisecond):
	}
	e.mu.Lock()
	e.ending, e.rec.State.Pid = false, 0
	e.wake()
	e.mu.Unlock()
	select {
	case waited := <-settled:
		if !waited {
			t.Error("it says that there was nothing to wait for")
		}
	case <-time.After(patience):
		t.Error("it waits on after the end")
	}
}
