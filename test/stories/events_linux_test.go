package stories

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
)

// stamp is a time as docker's clients send it.
func stamp(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

// past gives the events between two times that filters let through, as "type action".
func past(w *harness.World, since, until time.Time, f client.Filters) (out []string) {
	w.Helper()
	r := w.API.Events(w.Ctx(), client.EventsListOptions{Since: stamp(since), Until: stamp(until), Filters: f})
	for {
		select {
		case m := <-r.Messages:
			out = append(out, string(m.Type)+" "+string(m.Action))
		case <-r.Err:
			return out
		case <-time.After(60 * time.Second):
			w.Fatal("events of the past do not end")
		}
	}
}

func TestEvents(t *testing.T) {
	w := harness.New(t)
	begun := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	live := w.API.Events(ctx, client.EventsListOptions{Filters: make(client.Filters).Add("container", "watched")})
	other := w.Run(harness.Spec{Name: "other", Cmd: []string{"true"}})
	id := w.Run(harness.Spec{Name: "watched", Cmd: []string{"sh", "-c", "exit 3"}, Conf: func(c *container.Config, _ *container.HostConfig) { c.Labels = map[string]string{"k": "v"} }})
	w.Wait(id)
	w.Wait(other)
	w.Remove(id)
	w.Remove(other)
	var heard []string
	for len(heard) == 0 || heard[len(heard)-1] != "destroy" {
		m := next(w, "a live event", live.Messages)
		if m.Actor.ID != id || m.Actor.Attributes["name"] != "watched" || m.Actor.Attributes["k"] != "v" || m.Type != events.ContainerEventType {
			t.Errorf("event %+v", m)
		}
		if m.Action == events.ActionDie && m.Actor.Attributes["exitCode"] != "3" {
			t.Errorf("die: %v", m.Actor.Attributes)
		}
		heard = append(heard, string(m.Action))
	}
	if got := strings.Join(heard, " "); got != "create start die destroy" {
		t.Errorf("live: %s", got)
	}
	end := time.Now()
	all := past(w, begun, end, nil)
	if n := strings.Count(strings.Join(all, ","), "container create"); n != 2 {
		t.Errorf("of the past: %v", all)
	}
	for _, tc := range []struct {
		filters client.Filters
		want    string
	}{
		{make(client.Filters).Add("container", id), "container create, container start, container die, container destroy"},
		{make(client.Filters).Add("label", "k=v").Add("event", "die"), "container die"},
		{make(client.Filters).Add("type", "container").Add("event", "create", "destroy").Add("container", "watched"), "container create, container destroy"},
		{make(client.Filters).Add("type", "volume"), ""},
	} {
		if got := strings.Join(past(w, begun, end, tc.filters), ", "); got != tc.want {
			t.Errorf("%v: %s", tc.filters, got)
		}
	}
	nets := past(w, begun, end, make(client.Filters).Add("type", "network"))
	if got := strings.Join(nets, ","); strings.Count(got, "network connect") != 2 || strings.Count(got, "network disconnect") != 2 {
		t.Errorf("networks: %v", nets)
	}
}

func TestWaitConditions(t *testing.T) {
	w := harness.New(t)
	id := w.Create(harness.Spec{Cmd: []string{"sh", "-c", "while [ ! -e /go ]; do usleep 20000; done; exit 6"}})
	exit := w.API.ContainerWait(w.Ctx(), id, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	gone := w.API.ContainerWait(w.Ctx(), id, client.ContainerWaitOptions{Condition: container.WaitConditionRemoved})
	if code := w.Waited(w.API.ContainerWait(w.Ctx(), id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})); code != 0 {
		t.Errorf("one that never ran: %d", code)
	}
	w.Begin(id)
	w.Exec(id, "touch", "/go")
	if code := w.Waited(exit); code != 6 {
		t.Errorf("next-exit: %d", code)
	}
	if code := w.Wait(id); code != 6 {
		t.Errorf("not-running: %d", code)
	}
	w.Remove(id)
	if code := w.Waited(gone); code != 6 {
		t.Errorf("removed: %d", code)
	}
	missing := w.API.ContainerWait(w.Ctx(), "missing", client.ContainerWaitOptions{})
	if err := next(w, "an error", missing.Error); err == nil || !strings.Contains(err.Error(), "No such container") {
		t.Errorf("missing: %v", err)
	}
}

func TestHealthAndRestarts(t *testing.T) {
	w := harness.New(t)
	sick := w.Run(harness.Spec{Cmd: []string{"sleep", "1000"}, Conf: func(c *container.Config, _ *container.HostConfig) {
		c.Healthcheck = &container.HealthConfig{Test: []string{"CMD-SHELL", "test -e /ok || { echo not yet; exit 1; }"}, Interval: 50 * time.Millisecond, Timeout: 60 * time.Second, Retries: 2}
	}})
	flaky := w.Run(harness.Spec{Cmd: []string{"sh", "-c", "exit 3"}, Conf: func(_ *container.Config, h *container.HostConfig) {
		h.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyOnFailure, MaximumRetryCount: 2}
	}})
	steady := w.Run(harness.Spec{Cmd: []string{"sh", "-c", "echo run; sleep 1000"}, Conf: func(_ *container.Config, h *container.HostConfig) {
		h.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyAlways}
	}})
	health := func() container.HealthStatus { return w.Inspect(sick).State.Health.Status }
	w.Eventually("unhealthy", func() bool { return health() == container.Unhealthy })
	if log := w.Inspect(sick).State.Health.Log; len(log) == 0 || log[0].ExitCode != 1 || log[0].Output != "not yet\n" {
		t.Errorf("its log: %+v", log)
	}
	w.Exec(sick, "touch", "/ok")
	w.Eventually("healthy", func() bool { return health() == container.Healthy })
	w.Eventually("two restarts and the end", func() bool {
		c := w.Inspect(flaky)
		return c.RestartCount == 2 && c.State.Status == container.StateExited && c.State.ExitCode == 3
	})
	w.Eventually("it runs", func() bool { out, _ := w.Logs(steady); return out == "run\n" })
	w.Must(kill(w, steady, "KILL"))
	if c := w.Inspect(steady); c.State.Running && c.RestartCount > 0 {
		t.Error("one that a person killed was started again")
	}
}

func kill(w *harness.World, id, signal string) error {
	_, err := w.API.ContainerKill(w.Ctx(), id, client.ContainerKillOptions{Signal: signal})
	return err
}

func TestEventsOfSaveAndLoad(t *testing.T) {
	w := harness.New(t)
	begun := time.Now()
	saved, err := w.API.ImageSave(w.Ctx(), []string{"bb"})
	w.Must(err)
	loaded, err := w.API.ImageLoad(w.Ctx(), saved)
	w.Must(err)
	_, err = io.Copy(io.Discard, loaded)
	w.Must(err)
	w.Must(saved.Close())
	w.Must(loaded.Close())
	if got := past(w, begun, time.Now(), make(client.Filters).Add("type", "image")); fmt.Sprint(got) != "[image save image load]" {
		t.Errorf("told: %v", got)
	}
}
