//go:build linux

package container

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/moby/moby/api/types/container"
)

func TestBackoff(t *testing.T) {
	for streak, want := range map[int]time.Duration{
		0: 100 * time.Millisecond, 1: 200 * time.Millisecond, 5: 3200 * time.Millisecond, 9: 51200 * time.Millisecond, 10: time.Minute, 1000: time.Minute,
	} {
		if got := backoff(streak); got != want {
			t.Errorf("after %d restarts: %v, want %v", streak, got, want)
		}
	}
}

func TestPolicies(t *testing.T) {
	for name, tc := range map[string]struct {
		policy   container.RestartPolicy
		code     int
		restarts int
		stopped  bool
		again    bool
	}{
		"no":                                {policy: container.RestartPolicy{Name: "no"}, code: 1},
		"always after success":              {policy: container.RestartPolicy{Name: "always"}, again: true},
		"always, stopped by a person":       {policy: container.RestartPolicy{Name: "always"}, stopped: true},
		"unless-stopped":                    {policy: container.RestartPolicy{Name: "unless-stopped"}, code: 1, again: true},
		"on-failure after success":          {policy: container.RestartPolicy{Name: "on-failure"}},
		"on-failure":                        {policy: container.RestartPolicy{Name: "on-failure"}, code: 1, restarts: 99, again: true},
		"on-failure with tries left":        {policy: container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 3}, code: 1, restarts: 2, again: true},
		"on-failure with no tries left":     {policy: container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 3}, code: 1, restarts: 3},
		"on-failure, killed from elsewhere": {policy: container.RestartPolicy{Name: "on-failure"}, code: 137, again: true},
	} {
		r := Record{Host: &container.HostConfig{RestartPolicy: tc.policy}, Restarts: tc.restarts, Stopped: tc.stopped}
		again, _ := new(Service).policy(newEntry(r), &r, &proto.State{ExitCode: tc.code})
		if again != tc.again {
			t.Errorf("%s: %v", name, again)
		}
	}
}

func TestBackoffBeginsAnewAfterASteadyRun(t *testing.T) {
	r := Record{Host: &container.HostConfig{RestartPolicy: container.RestartPolicy{Name: "always"}}}
	r.State.StartedAt = time.Now()
	e, s := newEntry(r), new(Service)
	after := func(d time.Duration) time.Duration {
		_, delay := s.policy(e, &r, &proto.State{ExitedAt: r.State.StartedAt.Add(d)})
		return delay
	}
	for i, tc := range []struct{ ran, want time.Duration }{
		{0, 100 * time.Millisecond}, {time.Second, 200 * time.Millisecond}, {time.Second, 400 * time.Millisecond},
		{11 * time.Second, 100 * time.Millisecond}, {0, 200 * time.Millisecond},
	} {
		if got := after(tc.ran); got != tc.want {
			t.Errorf("restart %d after %v: %v, want %v", i, tc.ran, got, tc.want)
		}
	}
}

func TestOnFailureGivesUp(t *testing.T) {
	w := newWorld(t)
	id := w.run("web", restarts("on-failure", 2))
	for n := 1; n <= 3; n++ {
		w.eventually("it runs", func() bool { return w.rt.started() == n && w.record(id).State.Status == container.StateRunning })
		w.rt.exit(id, 5)
	}
	w.reaches(id, container.StateExited)
	if r := w.record(id); r.Restarts != 2 || r.State.ExitCode != 5 || w.rt.started() != 3 {
		t.Errorf("%d restarts, %d starts, code %d", r.Restarts, w.rt.started(), r.State.ExitCode)
	}
	if w.nets.attached() != 0 {
		t.Error("its network is left")
	}
}

func TestStoppingEndsTheBackoff(t *testing.T) {
	w := newWorld(t)
	id := w.run("web", restarts("always", 0))
	w.rt.exit(id, 1)
	w.reaches(id, container.StateRestarting)
	if err := w.ContainerStop(context.Background(), id, "", nil); err != nil {
		t.Fatal(err)
	}
	w.reaches(id, container.StateExited)
	time.Sleep(3 * firstBackoff)
	if w.rt.started() != 1 {
		t.Error("it was started after it was stopped")
	}
}

func TestKillingEndsTheBackoff(t *testing.T) {
	w := newWorld(t)
	id := w.run("web", restarts("always", 0))
	w.rt.exit(id, 1)
	w.reaches(id, container.StateRestarting)
	if err := w.ContainerKill(context.Background(), id, ""); err != nil {
		t.Fatal(err)
	}
	w.reaches(id, container.StateExited)
	if r := w.record(id); !r.Stopped {
		t.Error("its policy would start it again")
	}
}

func TestAFailedRestartIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	id := w.run("web", restarts("always", 0))
	w.rt.set(func(f *fakeRuntime) { f.fail = errors.New("no memory") })
	w.rt.exit(id, 1)
	w.eventually("one try fails", func() bool { return w.record(id).State.Error == "no memory" })
	w.rt.set(func(f *fakeRuntime) { f.fail = nil })
	w.eventually("the next succeeds", func() bool { return w.record(id).State.Status == container.StateRunning })
}
