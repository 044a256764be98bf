//go:build linux

package container

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/editapi"
	"github.com/moby/moby/api/types/container"
)

func quick(c editapi.Change) *editapi.Change {
	c.Wait = 1
	return &c
}

func TestAnEditMakesASuccessorOfTheSameContainer(t *testing.T) {
	w := newWorld(t)
	id := w.run("web", func(r *container.CreateRequest) {
		r.Env = []string{"A=1", "B=2"}
		r.Volumes = map[string]struct{}{"/data": {}}
	})
	before := w.record(id)
	change := quick(editapi.Change{EnvSet: []string{"A=3"}, EnvRemove: []string{"B"}, Name: "www"})
	plan, err := w.ContainerEditPlan(context.Background(), "web", change)
	if err != nil || !plan.Stops || len(plan.Steps) != 3 || plan.Steps[2].Successor {
		t.Fatalf("the plan: %+v, %v", plan, err)
	}
	if now := w.record(id); now.State.StartedAt != before.State.StartedAt || !slices.Equal(now.Config.Env, before.Config.Env) {
		t.Error("a plan changed the container")
	}
	if _, err := w.ContainerEdit(context.Background(), "web", change); err != nil {
		t.Fatal(err)
	}
	r := w.record("www")
	if r.ID != id || !r.State.running() || r.Predecessor != nil || r.Stopped || w.rt.started() != 2 {
		t.Errorf("after the edit: %+v, %d starts", r, w.rt.started())
	}
	if !slices.Contains(r.Config.Env, "A=3") || slices.Contains(r.Config.Env, "B=2") {
		t.Errorf("the environment: %v", r.Config.Env)
	}
	if len(r.Mounts) != 1 || r.Mounts[0].Name != before.Mounts[0].Name {
		t.Errorf("the anonymous volume: %+v, was %+v", r.Mounts, before.Mounts)
	}
}

func TestAnEditThatFailsGoesBack(t *testing.T) {
	w := newWorld(t)
	id := w.run("web", restarts(container.RestartPolicyAlways, 0))
	w.nets.mu.Lock()
	w.nets.fail = errors.New("port is taken")
	w.nets.mu.Unlock()
	_, err := w.ContainerEdit(context.Background(), "web", quick(editapi.Change{EnvSet: []string{"X=1"}}))
	if err == nil || !strings.Contains(err.Error(), "port is taken") {
		t.Fatalf("error %v", err)
	}
	if r := w.record(id); slices.Contains(r.Config.Env, "X=1") || r.Predecessor != nil {
		t.Errorf("it did not go back: %+v", r)
	}
}

func TestLimitsChangeWhileItRuns(t *testing.T) {
	w := newWorld(t)
	w.run("web")
	memory := int64(64 << 20)
	plan, err := w.ContainerEdit(context.Background(), "web", &editapi.Change{Memory: &memory, RestartPolicy: &container.RestartPolicy{Name: "always"}})
	if err != nil || plan.Stops || plan.Successor() || len(plan.Steps) != 2 {
		t.Fatalf("%+v, %v", plan, err)
	}
	if r := w.record("web"); r.Host.Memory != memory || r.Host.RestartPolicy.Name != "always" || w.rt.started() != 1 {
		t.Errorf("after: %+v, %d starts", r.Host, w.rt.started())
	}
}

func TestEditsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	w.run("web")
	w.run("other")
	for _, c := range []editapi.Change{
		{EnvRemove: []string{"NONE"}}, {EnvSet: []string{"NOVALUE"}}, {PublishRemove: []string{"8080"}}, {VolumeRemove: []string{"/none"}},
		{VolumeAdd: []string{"relative"}}, {VolumeAdd: []string{"/a", "/a"}}, {LinkRemove: []string{"db"}}, {LinkAdd: []string{"nobody"}},
		{Name: "other"}, {Name: "!"},
	} {
		if _, err := w.ContainerEdit(context.Background(), "web", &c); err == nil {
			t.Errorf("%+v was done", c)
		}
	}
	if w.rt.started() != 2 {
		t.Error("a refused edit stopped the container")
	}
}

// An engine killed at any point of an edit: the next finds the record that the first left.
func TestAnEditCutShortIsFinished(t *testing.T) {
	w := newWorld(t)
	id := w.run("web")
	w.reboot(func() {
		store := w.deps.Durable.(*fakeStore)
		store.mu.Lock()
		r := store.recs[id]
		r.Predecessor = r.predecessor()
		cfg := *r.Config
		cfg.Env = append(slices.Clone(cfg.Env), "X=1")
		r.Config, r.Stopped = &cfg, true
		r.State.Status, r.State.Pid = container.StateExited, 0
		store.recs[id] = r
		store.mu.Unlock()
		w.rt.exit(id, 0)
		w.rt.Release(context.Background(), id, "")
	})
	w.eventually("the successor runs", func() bool {
		r := w.record(id)
		return r.State.running() && r.Predecessor == nil && slices.Contains(r.Config.Env, "X=1") && !r.Stopped
	})
}
