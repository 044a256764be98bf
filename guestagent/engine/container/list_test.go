//go:build linux

package container

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

// What dockerd tells of containers, in a list and alone.
func TestContainersAreToldAsByDockerd(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	web := w.run("web")
	w.run("app", func(r *container.CreateRequest) { r.HostConfig.Links = []string{"web:db"} })
	list, err := w.ContainerList(ctx, ListOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		if c.ID == web && !slices.Equal(c.Names, []string{"/app/db", "/web"}) {
			t.Errorf("names %q", c.Names)
		}
	}
	networkID := func(ref string) string {
		c, err := w.ContainerInspect(ctx, ref, false)
		if err != nil {
			t.Fatal(err)
		}
		return c.NetworkSettings.Networks["bridge"].NetworkID
	}
	w.create("new")
	if id := networkID("new"); id != "" {
		t.Errorf("one that never ran is on network %q", id)
	}
	if err := w.ContainerKill(ctx, "web", ""); err != nil {
		t.Fatal(err)
	}
	w.reaches("web", container.StateExited)
	if id := networkID("web"); id != "id of bridge" { // or Compose makes it anew
		t.Errorf("one that ran was on network %q", id)
	}
	_, err = w.ContainerTop(ctx, "web", "")
	wantKind(t, err, errdefs.KindConflict, "container "+web+" is not running")
}

func TestWhatIsNotToldOfSettingsIsFilledIn(t *testing.T) {
	w := newWorld(t)
	w.Defaults.Cgroups.Version = "1"
	for name, c := range map[string]struct {
		change func(*container.HostConfig)
		opts   string
	}{
		"plain":      {func(*container.HostConfig) {}, ""},
		"privileged": {func(h *container.HostConfig) { h.Privileged = true }, "label=disable"},
		"pids":       {func(h *container.HostConfig) { h.PidMode = "host" }, "label=disable"},
		"told":       {func(h *container.HostConfig) { h.Privileged, h.SecurityOpt = true, []string{"seccomp=unconfined"} }, "seccomp=unconfined"},
	} {
		h := w.record(w.create(name, func(r *container.CreateRequest) { c.change(r.HostConfig) })).Host
		if got := strings.Join(h.SecurityOpt, " "); got != c.opts {
			t.Errorf("%s: security options %q, not %q", name, got, c.opts)
		}
		if h.OomKillDisable == nil || *h.OomKillDisable {
			t.Errorf("%s: OomKillDisable %v", name, h.OomKillDisable)
		}
	}
	w.Defaults.Cgroups.Version = "2"
	if h := w.record(w.create("two")).Host; h.OomKillDisable != nil {
		t.Errorf("with cgroups of version 2 OomKillDisable is %v", *h.OomKillDisable)
	}
}
