package stories

import (
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
)

// What moby's TestRunMountImage asks for: the files of an image in a container of another, whole or in part, and the
// image is in use meanwhile.
func TestImageMount(t *testing.T) {
	w := harness.New(t)
	w.Take("files", harness.Image(t, nil, nil,
		harness.Layer(t, harness.File{Name: "foo", Body: []byte("bar")}, harness.Dir("subdir"), harness.File{Name: "subdir/hello", Body: []byte("world")}),
		harness.Layer(t, harness.Dir("hack"), harness.Symlink("hack/root", "/"), harness.Symlink("hack/good", "../subdir"), harness.Symlink("hack/bad", "root"))))
	with := func(sub string, cmd ...string) harness.Spec {
		return harness.Spec{Cmd: cmd, Conf: func(_ *container.Config, h *container.HostConfig) {
			h.Mounts = []mount.Mount{{Type: mount.TypeImage, Source: "files", Target: "/image", ImageOptions: &mount.ImageOptions{Subpath: sub}}}
		}}
	}
	for _, c := range []struct{ sub, cmd, want string }{
		{"", "cat /image/foo", "bar"}, {"subdir", "ls /image", "hello"}, {"hack/good", "ls /image", "hello"}, {"subdir/hello", "cat /image", "world"},
	} {
		if got := strings.TrimSpace(w.Output(with(c.sub, strings.Fields(c.cmd)...))); got != c.want {
			t.Errorf("%q of the image: %q, want %q", c.sub, got, c.want)
		}
	}
	if out, code := w.Result(with("", "touch", "/image/new")); code == 0 || !strings.Contains(out, "Read-only file system") {
		t.Errorf("writing to it: %d, %s", code, out)
	}
	for sub, want := range map[string]string{"hack/bad": "path concatenation escapes the base directory", "absent": "cannot access path"} {
		oneLine(w, "starting with "+sub, w.TryStart(w.Create(with(sub, "true"))), want)
	}
	_, err := w.TryCreate(with("../../etc/passwd", "cat", "/image"))
	oneLine(w, "a way out", err, "subpath must be a relative path within the volume")
	w.Part("an image that is removed", func(w *harness.World) {
		id := w.Run(with("", "cat", "/image/foo"))
		w.Wait(id)
		_, err := w.API.ImageRemove(w.Ctx(), w.Registry.Addr+"/files", client.ImageRemoveOptions{})
		w.Must(err)
		_, err = w.API.ImageRemove(w.Ctx(), "files", client.ImageRemoveOptions{})
		oneLine(w, "removing it", err, "is using its referenced image ")
		_, err = w.API.ImageRemove(w.Ctx(), "files", client.ImageRemoveOptions{Force: true})
		w.Must(err)
		w.Must(w.TryStart(id))
		w.Wait(id)
		if out, _ := w.Logs(id); out != "barbar" {
			t.Errorf("it wrote %q", out)
		}
	})
}
