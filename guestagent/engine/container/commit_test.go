//go:build linux

package container

import (
	"context"
	"slices"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

func TestCommit(t *testing.T) {
	w := newWorld(t)
	id := w.run("web", func(r *container.CreateRequest) {
		r.Env, r.Cmd = []string{"A=1", "B=2"}, []string{"serve"}
		r.Labels = map[string]string{"of": "container"}
	})
	made, err := w.ContainerCommit(context.Background(), "web", CommitOptions{
		Name: "docker.io/library/copy:1", Author: "me", Comment: "why", Config: &container.Config{Env: []string{"B=3"}, Cmd: []string{"other"}},
	})
	if err != nil || made != "sha256:made" {
		t.Fatalf("%q, %v", made, err)
	}
	d := w.imgs.drafts[0]
	if d.Name != "docker.io/library/copy:1" || d.History.Author != "me" || d.History.Comment != "why" || d.Base == nil {
		t.Errorf("the draft is %+v", d)
	}
	env := slices.Sorted(slices.Values(d.Config.Env))
	if !slices.Contains(env, "A=1") || !slices.Contains(env, "B=3") || slices.Contains(env, "B=2") || d.Config.Cmd[0] != "other" || d.Config.Labels["of"] != "container" {
		t.Errorf("the configuration is %+v", d.Config)
	}
	if _, err := w.ContainerCommit(context.Background(), "web", CommitOptions{Changes: []string{"ENV B=$B:4", `ENTRYPOINT ["in"]`}}); err != nil {
		t.Fatal(err)
	}
	if c := w.imgs.drafts[1].Config; !slices.Contains(c.Env, "B=2:4") || c.Entrypoint[0] != "in" || len(c.Cmd) != 0 {
		t.Errorf("changed it is %+v", c)
	}
	if _, err := w.ContainerCommit(context.Background(), "web", CommitOptions{Changes: []string{"RUN x"}}); errdefs.KindOf(err) != errdefs.KindInvalid {
		t.Errorf("with RUN: %v", err)
	}
	if r := w.record(id); r.State.Status != container.StateRunning {
		t.Errorf("it is %s afterwards", r.State.Status)
	}
	if _, err := w.ContainerCommit(context.Background(), "nobody", CommitOptions{}); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("of no container: %v", err)
	}
}

func TestWhatIsNotTheirs(t *testing.T) {
	skip := notTheirs()
	for name, want := range map[string]bool{
		"/etc/hosts": true, "/dev": true, "/dev/x": true, "/proc": true, "/.dockerenv": true, "/etc": false, "/etc/passwd": false, "/devil": false, "/etc/hosts.d": false,
	} {
		if skip(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
