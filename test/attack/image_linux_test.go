package attack

import (
	"archive/tar"
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
)

// CVE-2025-47290, CVE-2024-9676, CVE-2017-14992: layers that reach for the machine's files, from the registry to a
// container. The corpus stands in guestagent/engine/image/hostile_test.go; here the whole way is gone.
func TestHostileLayersStayInside(t *testing.T) {
	w := newWorld(t)
	dir, file := victim(t)
	up := strings.Repeat("../", 20)
	body := []byte("owned")
	for name, layers := range map[string][][]harness.File{
		"up":          {{{Name: up + file[1:], Body: body}}},
		"linked":      {{harness.Symlink("l", dir)}, {{Name: "l/secret", Body: body}}},
		"linked-up":   {{harness.Symlink("l", up+dir[1:])}, {{Name: "l/new", Body: body}}},
		"hard":        {{{Name: "h", Link: file, Type: tar.TypeLink}}, {{Name: "h", Body: body}}},
		"whiteout":    {{harness.Symlink("l", dir)}, {{Name: "l/.wh.secret"}, {Name: "l/.wh..wh..opq"}}},
		"whiteout-up": {{harness.Dir("a/")}, {{Name: "a/.wh..."}, {Name: "a/.wh.."}, {Name: ".wh../../x"}}},
		"xattr": {{harness.Dir("a/"), {Name: "a/x", Body: body}}, {{Name: "a/", Type: tar.TypeDir, Mode: 0o755, PAX: map[string]string{
			"SCHILY.xattr.trusted.overlay.redirect": dir, "SCHILY.xattr.trusted.overlay.metacopy": "", "SCHILY.xattr.trusted.overlay.origin": "x",
		}}}},
	} {
		var all []v1.Layer
		for _, files := range layers {
			all = append(all, harness.Layer(t, files...))
		}
		ref := w.Registry.Push(t, "hostile-"+name+":latest", harness.Image(t, harness.Busybox(t), nil, all...))
		if w.Pull(ref) != nil {
			continue
		}
		id := w.Create(harness.Spec{Image: ref, Cmd: []string{"sh", "-c", "cat /l/secret /h /a/secret 2>/dev/null; echo x > /l/new; echo x > /h; true"}})
		if w.TryStart(id) == nil {
			w.Wait(id)
			if out, _ := w.Logs(id); strings.Contains(out, secret) {
				t.Errorf("%s: a container reads the machine's file: %q", name, out)
			}
		}
		w.Remove(id)
		_, err := w.API.ImageRemove(w.Ctx(), ref, client.ImageRemoveOptions{Force: true})
		w.Must(err)
	}
	untouched(t, dir, file)
}

// CVE-2022-23648: the places of an image's volumes are filled from the image, never from the machine.
func TestVolumesOfImagesAreNotFilledFromTheMachine(t *testing.T) {
	w := newWorld(t)
	dir, file := victim(t)
	up := strings.Repeat("../", 20)
	places := []string{"/../../../.." + dir, "/data/../../../.." + dir, "/link", "/link-up", "/parent/sub", "/proc/1/root" + dir, "/proc/self/cwd", "/magic"}
	base := harness.Image(t, harness.Busybox(t), nil, harness.Layer(t,
		harness.Symlink("link", dir), harness.Symlink("link-up", up+dir[1:]), harness.Symlink("parent", dir+"/.."),
		harness.Symlink("magic", "/proc/self/root"+dir)))
	for i, place := range places {
		name := "volume" + string(rune('a'+i))
		w.Take(name, harness.Image(t, base, func(c *v1.Config) { c.Volumes = map[string]struct{}{place: {}} }))
		id, err := w.TryCreate(harness.Spec{Image: name, Cmd: []string{"sh", "-c", "cat " + place + "/secret /link/secret 2>/dev/null; true"}})
		if err != nil {
			continue
		}
		for _, m := range w.Inspect(id).Mounts {
			if strings.Contains(volumeContent(w, m.Name), secret) {
				t.Errorf("VOLUME %s holds the machine's file", place)
			}
		}
		if w.TryStart(id) == nil {
			w.Wait(id)
			if out, _ := w.Logs(id); strings.Contains(out, secret) {
				t.Errorf("VOLUME %s: %q", place, out)
			}
		}
		w.Remove(id)
	}
	untouched(t, dir, file)
}

// volumeContent is what the files at the top of a volume hold.
func volumeContent(w *harness.World, name string) string {
	w.Helper()
	out, _ := w.Result(harness.Spec{Cmd: []string{"sh", "-c", "cat /look/* 2>/dev/null; true"}, Conf: func(_ *container.Config, h *container.HostConfig) {
		h.Binds = []string{name + ":/look:nocopy"}
	}})
	return out
}

// CVE-2026-53488: what an image says of itself gives it no rights: labels with the names that engines use for
// themselves, and settings that only a person may make.
func TestImagesGrantThemselvesNothing(t *testing.T) {
	w := newWorld(t)
	_, file := victim(t)
	labels := map[string]string{
		"containerd.io/gc.root": "1", "io.berth.privileged": "true", "io.berth.keep": "1", "com.docker.volume.anonymous": "",
		"io.kubernetes.cri-o.Privileged": "true", "containerd.io/snapshot/overlay.lowerdir": "/", "io.berth.mount": file + ":/secret",
		"org.opencontainers.image.ref.name": "bb", "io.containerd.image.name": "bb",
	}
	img := evil(t, func(c *v1.Config) {
		c.Labels = labels
		c.Env = []string{"BERTH_ROOT=/", "LISTEN_PID=1", "LD_PRELOAD=/evil.so", "PATH=/bin"}
		c.StopSignal, c.WorkingDir = "999999", "/proc/self/fd/7"
		c.Healthcheck = &v1.HealthConfig{Test: []string{"CMD", "/probe"}, Interval: -1}
		c.ExposedPorts = map[string]struct{}{"0/tcp": {}, "99999/tcp": {}, "1-65535/udp": {}, "x/y": {}}
	})
	w.Take("granting", mutate.Annotations(img, labels).(v1.Image))
	confined(w, "an image with labels", harness.Spec{Image: "granting", Conf: func(c *container.Config, _ *container.HostConfig) { c.WorkingDir = "/" }})
	if out, code := w.Result(harness.Spec{Image: "granting", Cmd: []string{"grep", "CapEff", "/proc/self/status"}, Conf: func(c *container.Config, h *container.HostConfig) {
		c.WorkingDir, h.PublishAllPorts, c.StopSignal = "/", false, "TERM"
	}}); code != 0 || !strings.Contains(out, "00000000a80425fb") {
		t.Errorf("capabilities %q", out)
	}
	_, err := w.API.ImageRemove(w.Ctx(), "granting", client.ImageRemoveOptions{Force: true, PruneChildren: true})
	w.Must(err)
	list, err := w.API.ImageList(w.Ctx(), client.ImageListOptions{All: true})
	w.Must(err)
	for _, i := range list.Items {
		for _, tag := range i.RepoTags {
			if strings.HasPrefix(tag, "granting") {
				t.Errorf("the image cannot be removed: %v", i)
			}
		}
	}
}

// CVE-2026-6406: -v, --mount, --tmpfs and VOLUME go through one check: what one refuses, all do.
func TestMountsAreCheckedInEveryForm(t *testing.T) {
	w := newWorld(t)
	dir, file := victim(t)
	base := harness.Busybox(t)
	for i, place := range []string{"", "/", "//", "/..", "/a/../..", ".", "relative", "a/../../b", "\x00", "/a\x00b"} {
		name := "place" + string(rune('a'+i))
		w.Take(name, harness.Image(t, base, func(c *v1.Config) { c.Volumes = map[string]struct{}{place: {}} }))
		for form, s := range map[string]harness.Spec{
			"-v":        {Conf: func(_ *container.Config, h *container.HostConfig) { h.Binds = []string{dir + ":" + place} }},
			"-v volume": {Conf: func(_ *container.Config, h *container.HostConfig) { h.Binds = []string{"named:" + place} }},
			"--mount bind": {Conf: func(_ *container.Config, h *container.HostConfig) {
				h.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: dir, Target: place}}
			}},
			"--mount volume": {Conf: func(_ *container.Config, h *container.HostConfig) {
				h.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: "named", Target: place}}
			}},
			"--mount tmpfs": {Conf: func(_ *container.Config, h *container.HostConfig) {
				h.Mounts = []mount.Mount{{Type: mount.TypeTmpfs, Target: place}}
			}},
			"--tmpfs":      {Conf: func(_ *container.Config, h *container.HostConfig) { h.Tmpfs = map[string]string{place: ""} }},
			"-v anonymous": {Conf: func(c *container.Config, _ *container.HostConfig) { c.Volumes = map[string]struct{}{place: {}} }},
			"VOLUME":       {Image: name},
		} {
			s.Cmd = []string{"true"}
			if id, err := w.TryCreate(s); err == nil {
				t.Errorf("%s at %q is taken: %+v", form, place, w.Inspect(id).Mounts)
				w.Remove(id)
			}
		}
	}
	for _, source := range []string{"../../etc", "..", ".", "a/../../b", "a/b", "vol/../../../" + dir} {
		for form, s := range map[string]harness.Spec{
			"-v": {Conf: func(_ *container.Config, h *container.HostConfig) { h.Binds = []string{source + ":/x"} }},
			"--mount volume": {Conf: func(_ *container.Config, h *container.HostConfig) {
				h.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: source, Target: "/x"}}
			}},
			"--mount bind": {Conf: func(_ *container.Config, h *container.HostConfig) {
				h.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: source, Target: "/x"}}
			}},
			"subpath": {Conf: func(_ *container.Config, h *container.HostConfig) {
				h.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: "named", Target: "/x", VolumeOptions: &mount.VolumeOptions{Subpath: "../" + source}}}
			}},
		} {
			s.Cmd = []string{"true"}
			if id, err := w.TryCreate(s); err == nil {
				t.Errorf("%s of %q is taken: %+v", form, source, w.Inspect(id).Mounts)
				w.Remove(id)
			}
		}
	}
	untouched(t, dir, file)
}
