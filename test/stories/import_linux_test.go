package stories

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// importing runs berth system import against a world's engine and gives what it says.
func importing(w *harness.World, from string, args ...string) (string, error) {
	w.Helper()
	c := exec.Command(filepath.Join(harness.Bin(), "berth"), append([]string{"system", "import", "--from", from}, args...)...)
	c.Env = []string{"BERTH_HOST=unix://" + w.Layout.Socket(), "PATH=/bin", "DOCKER_CONFIG=" + w.TempDir()}
	out, err := c.CombinedOutput()
	return string(out), err
}

// Everything of one engine comes along to another: images, volumes with their files, owners and modes, networks, and
// containers with their names, their configuration and the files that they have changed. What is there stays there.
func TestSystemImport(t *testing.T) {
	old := harness.New(t)
	oldHome(old)
	mine := harness.Empty(t, harness.StateDir(t))
	mine.Start()
	from := "unix://" + old.Layout.Socket()
	out, err := importing(mine, from, "--dry-run")
	if err != nil || !strings.Contains(out, "container  web: would be taken over") || !strings.Contains(out, "image      bb:latest: would be taken over") {
		t.Errorf("dry run: %v\n%s", err, out)
	}
	if list, err := mine.API.ImageList(mine.Ctx(), client.ImageListOptions{}); err != nil || len(list.Items) != 0 {
		t.Errorf("the dry run has made images: %v, %v", list.Items, err)
	}
	out, err = importing(mine, from)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"image      bb:latest: taken over, ", "volume     data: taken over, while container runs could write it\n", "network    back: taken over",
		"container  web: taken over\n", "container  changed: taken over, with the files it has changed as image berth-system-import:changed\n",
		"container  runs: taken over, still running there and not started here\n", "left behind: 0\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the report lacks %q:\n%s", want, out)
		}
	}
	if !old.Inspect("runs").State.Running {
		t.Error("a container was stopped that was not to be")
	}
	checkHome(mine)
	// A second time there is nothing to do; with --stop it would have been moved for good.
	out, err = importing(mine, from)
	if err != nil || !strings.Contains(out, "\nTaken over: 0, ") {
		t.Errorf("again: %v\n%s", err, out)
	}
	mine.Remove("runs")
	out, err = importing(mine, from, "--stop")
	if err != nil || !strings.Contains(out, "container  runs: taken over, stopped there and started here\n") {
		t.Errorf("--stop: %v\n%s", err, out)
	}
	if old.Inspect("runs").State.Running || !mine.Inspect("runs").State.Running {
		t.Error("the container did not move")
	}
	if out, err := importing(mine, "unix://"+mine.Layout.Socket()); err == nil || !strings.Contains(out, "is this very engine") {
		t.Errorf("from itself: %v\n%s", err, out)
	}
	if list, err := old.API.ImageList(old.Ctx(), client.ImageListOptions{All: true}); err != nil || len(list.Items) != 1 {
		t.Errorf("left on the old engine: %+v, %v", list.Items, err)
	}
	for _, w := range []*harness.World{mine, old} { // each world looks for what is left when the other has ended
		for _, name := range []string{"web", "changed", "joined", "runs"} {
			w.Remove(name)
		}
		w.Signal(unix.SIGTERM)
	}
}

// oldHome makes what is taken over.
func oldHome(w *harness.World) {
	w.Helper()
	_, err := w.API.VolumeCreate(w.Ctx(), client.VolumeCreateOptions{Name: "data", Labels: map[string]string{"l": "v"}})
	w.Must(err)
	_, err = w.API.NetworkCreate(w.Ctx(), "back", client.NetworkCreateOptions{Labels: map[string]string{"n": "1"}})
	w.Must(err)
	data := func(_ *container.Config, h *container.HostConfig) { h.Binds = []string{"data:/data"} }
	w.Output(harness.Spec{Cmd: []string{"sh", "-c", "echo kept > /data/f; chown 7:8 /data/f; chmod 640 /data/f; ln -s f /data/l; mkdir -m 700 /data/d"}, Conf: data})
	w.Create(harness.Spec{Name: "web", Cmd: []string{"sh", "-c", "cat /data/f"}, Conf: func(c *container.Config, h *container.HostConfig) {
		data(c, h)
		c.Env, c.Labels, c.Volumes = []string{"A=b"}, map[string]string{"x": "y"}, map[string]struct{}{"/anon": {}}
		h.RestartPolicy = container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 3}
		h.Memory = 64 << 20
	}})
	w.Wait(w.Run(harness.Spec{Name: "changed", Cmd: []string{"sh", "-c", "cat /new || echo made > /new"}}))
	w.Run(harness.Spec{Name: "runs", Cmd: []string{"sleep", "1000"}, Conf: func(c *container.Config, h *container.HostConfig) {
		data(c, h)
		h.NetworkMode = "back"
	}, Opts: func(o *client.ContainerCreateOptions) {
		o.NetworkingConfig = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"back": {Aliases: []string{"app"}}}}
	}})
	w.Create(harness.Spec{Name: "joined", Cmd: []string{"true"}, Conf: func(_ *container.Config, h *container.HostConfig) { h.NetworkMode = "container:runs" }})
}

// checkHome looks at it where it has come.
func checkHome(w *harness.World) {
	w.Helper()
	web := w.Inspect("web")
	if web.Config.Env[0] != "A=b" || web.Config.Labels["x"] != "y" || web.HostConfig.Memory != 64<<20 || web.HostConfig.RestartPolicy.MaximumRetryCount != 3 || len(web.Mounts) != 2 {
		w.Errorf("web: %+v, %+v, %+v", web.Config, web.HostConfig, web.Mounts)
	}
	out := w.Output(harness.Spec{Cmd: []string{"sh", "-c", "cat /data/l; stat -c '%u:%g %a' /data/f /data/d"}, Conf: func(_ *container.Config, h *container.HostConfig) { h.Binds = []string{"data:/data"} }})
	if out != "kept\n7:8 640\n0:0 700\n" {
		w.Errorf("the volume has %q", out)
	}
	if v, err := w.API.VolumeInspect(w.Ctx(), "data", client.VolumeInspectOptions{}); err != nil || v.Volume.Labels["l"] != "v" {
		w.Errorf("volume: %+v, %v", v.Volume, err)
	}
	w.Begin("changed")
	w.Wait("changed")
	if out, _ := w.Logs("changed"); out != "made\n" {
		w.Errorf("changed wrote %q", out)
	}
	n := w.Inspect("runs").NetworkSettings.Networks["back"]
	if n == nil || len(n.Aliases) != 1 || n.Aliases[0] != "app" {
		w.Errorf("runs is on %+v", n)
	}
	if mode := w.Inspect("joined").HostConfig.NetworkMode; mode.ConnectedContainer() != w.Inspect("runs").ID && mode.ConnectedContainer() != "runs" {
		w.Errorf("joined is on %s", mode)
	}
}
