package stories

import (
	"slices"
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
)

// in runs a shell script in a container with mounts in the form of -v, and gives its output.
func in(w *harness.World, script string, binds ...string) string {
	w.Helper()
	return w.Output(harness.Spec{Cmd: []string{"sh", "-c", script}, Conf: func(_ *container.Config, h *container.HostConfig) { h.Binds = binds }})
}

// mounted is in with mounts in the form of --mount.
func mounted(w *harness.World, script string, mounts ...mount.Mount) string {
	w.Helper()
	return w.Output(harness.Spec{Cmd: []string{"sh", "-c", script}, Conf: func(_ *container.Config, h *container.HostConfig) { h.Mounts = mounts }})
}

func volumes(w *harness.World, f client.Filters) (names []string) {
	w.Helper()
	list, err := w.API.VolumeList(w.Ctx(), client.VolumeListOptions{Filters: f})
	w.Must(err)
	for _, v := range list.Items {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	return names
}

func TestVolumes(t *testing.T) {
	w := harness.New(t)
	w.Part("filled from the image once", func(w *harness.World) {
		if out := in(w, "cat /data/seed /data/sub/deep; echo new > /data/seed", "filled:/data"); out != seed+"deep\n" {
			w.Errorf("first: %q", out)
		}
		if out := in(w, "cat /data/seed", "filled:/data"); out != "new\n" {
			w.Errorf("second: %q", out)
		}
		if out := in(w, "ls /data", "bare:/data:nocopy"); out != "" {
			w.Errorf("nocopy: %q", out)
		}
		if out := in(w, "cat /elsewhere/seed; touch /elsewhere/x 2>/dev/null || echo read-only", "filled:/elsewhere:ro"); out != "new\nread-only\n" {
			w.Errorf("ro: %q", out)
		}
	})
	w.Part("subpath", func(w *harness.World) {
		of := func(sub string) mount.Mount {
			return mount.Mount{Type: mount.TypeVolume, Source: "filled", Target: "/m", VolumeOptions: &mount.VolumeOptions{Subpath: sub}}
		}
		if out := mounted(w, "cat /m/deep; ls /m", of("sub")); out != "deep\ndeep\n" {
			w.Errorf("a directory: %q", out)
		}
		if out := mounted(w, "cat /m", of("seed")); out != "new\n" {
			w.Errorf("a file: %q", out)
		}
		id := w.Create(harness.Spec{Cmd: []string{"true"}, Conf: func(_ *container.Config, h *container.HostConfig) { h.Mounts = []mount.Mount{of("missing")} }})
		oneLine(w, "a subpath that is missing", w.TryStart(id), "missing")
		w.Remove(id)
	})
	w.Part("from another container", func(w *harness.World) {
		donor := w.Create(harness.Spec{Name: "donor", Cmd: []string{"true"}, Conf: func(_ *container.Config, h *container.HostConfig) {
			h.Binds = []string{"filled:/a", "/anonymous"}
		}})
		from := func(mode string) string {
			return w.Output(harness.Spec{Cmd: []string{"sh", "-c", "cat /a/seed; touch /anonymous/x 2>/dev/null && echo written"}, Conf: func(_ *container.Config, h *container.HostConfig) {
				h.VolumesFrom = []string{"donor" + mode}
			}})
		}
		if out := from(""); out != "new\nwritten\n" {
			w.Errorf("volumes-from: %q", out)
		}
		id := w.Run(harness.Spec{Cmd: []string{"sh", "-c", "touch /anonymous/y 2>/dev/null || echo read-only"}, Conf: func(_ *container.Config, h *container.HostConfig) {
			h.VolumesFrom = []string{donor + ":ro"}
		}})
		w.Wait(id)
		if out, _ := w.Logs(id); out != "read-only\n" {
			w.Errorf("volumes-from :ro: %q", out)
		}
		w.Remove(id) // with its anonymous volumes, of which it has none
		if out := from(""); out != "new\nwritten\n" {
			w.Errorf("after one who borrowed was removed: %q", out)
		}
		w.Remove(donor)
	})
	w.Part("references and prune", references)
}

func references(w *harness.World) {
	_, err := w.API.VolumeCreate(w.Ctx(), client.VolumeCreateOptions{Name: "labelled", Labels: map[string]string{"k": "v"}})
	w.Must(err)
	w.Take("declares", harness.Image(w.T, harness.Busybox(w.T), func(c *v1.Config) { c.Volumes = map[string]struct{}{"/data": {}} }))
	user := w.Create(harness.Spec{Image: "declares", Cmd: []string{"true"}, Conf: func(_ *container.Config, h *container.HostConfig) { h.Binds = []string{"labelled:/l"} }})
	anonymous := ""
	for _, m := range w.Inspect(user).Mounts {
		if m.Destination == "/data" {
			anonymous = m.Name
		}
	}
	if len(anonymous) != 64 {
		w.Errorf("the image's volume is %q", anonymous)
	}
	_, err = w.API.VolumeRemove(w.Ctx(), "labelled", client.VolumeRemoveOptions{})
	oneLine(w, "removing a volume in use", err, "volume is in use")
	if got := volumes(w, make(client.Filters).Add("label", "k=v")); !slices.Equal(got, []string{"labelled"}) {
		w.Errorf("by label: %v", got)
	}
	if got := volumes(w, make(client.Filters).Add("dangling", "true")); slices.Contains(got, anonymous) || slices.Contains(got, "labelled") || !slices.Contains(got, "filled") {
		w.Errorf("dangling: %v", got)
	}
	_, err = w.API.ContainerRemove(w.Ctx(), user, client.ContainerRemoveOptions{})
	w.Must(err)
	if got := volumes(w, nil); !slices.Contains(got, anonymous) {
		w.Errorf("rm without -v took the anonymous volume: %v", got)
	}
	pruned, err := w.API.VolumePrune(w.Ctx(), client.VolumePruneOptions{})
	w.Must(err)
	if !slices.Contains(pruned.Report.VolumesDeleted, anonymous) || slices.Contains(pruned.Report.VolumesDeleted, "filled") {
		w.Errorf("prune took %v", pruned.Report.VolumesDeleted)
	}
	_, err = w.API.VolumePrune(w.Ctx(), client.VolumePruneOptions{All: true})
	w.Must(err)
	if got := volumes(w, nil); len(got) != 0 {
		w.Errorf("left after prune of all: %v", got)
	}
}

func TestPruneContainersAndNetworks(t *testing.T) {
	w := harness.New(t)
	running := w.Run(harness.Spec{Cmd: []string{"sleep", "1000"}})
	labelled := map[string]string{"keep": "yes"}
	ended := w.Run(harness.Spec{Cmd: []string{"true"}})
	kept := w.Run(harness.Spec{Cmd: []string{"true"}, Conf: func(c *container.Config, _ *container.HostConfig) { c.Labels = labelled }})
	w.Wait(ended)
	w.Wait(kept)
	res, err := w.API.ContainerPrune(w.Ctx(), client.ContainerPruneOptions{Filters: make(client.Filters).Add("label!", "keep=yes")})
	w.Must(err)
	if got := strings.Join(res.Report.ContainersDeleted, " "); got != ended {
		t.Errorf("pruned %q", got)
	}
	if !w.Inspect(running).State.Running || w.Inspect(kept).State.Running {
		t.Error("others were touched")
	}
	for _, name := range []string{"used", "unused"} {
		_, err := w.API.NetworkCreate(w.Ctx(), name, client.NetworkCreateOptions{})
		w.Must(err)
	}
	_, err = w.API.NetworkConnect(w.Ctx(), "used", client.NetworkConnectOptions{Container: running})
	w.Must(err)
	nets, err := w.API.NetworkPrune(w.Ctx(), client.NetworkPruneOptions{})
	w.Must(err)
	if !slices.Equal(nets.Report.NetworksDeleted, []string{"unused"}) {
		t.Errorf("networks pruned: %v", nets.Report.NetworksDeleted)
	}
}
