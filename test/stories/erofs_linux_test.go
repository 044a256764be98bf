package stories

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// onErofs is an engine that keeps layers as EROFS images.
func onErofs(t *testing.T, root string) *harness.World {
	w := harness.Empty(t, root)
	w.Args = []string{"--storage-driver=erofs"}
	w.Registry = harness.NewRegistry(t, nil)
	if err := w.Spawn(); err != nil {
		t.Fatal(err)
	}
	if w.Ended(2*time.Second) && strings.Contains(w.Log.String(), "does not serve images from EROFS") {
		t.Skip(w.Log.String())
	}
	w.Eventually("the engine answers", func() bool {
		_, err := w.API.Ping(context.Background(), client.PingOptions{})
		return err == nil
	})
	return w
}

// layersMounted counts the layers that are mounted in a state directory.
func layersMounted(w *harness.World) int {
	b, err := os.ReadFile("/proc/self/mountinfo")
	w.Must(err)
	return strings.Count(string(b), " "+w.Layout.Root+"/images/erofs/snapshots/")
}

// Images are pulled, run, changed, committed, built on, saved, loaded and removed with layers that are EROFS images; an
// engine that is killed meanwhile leaves no mount for good, and containers go on.
func TestLayersAsErofsImages(t *testing.T) {
	w := onErofs(t, harness.StateDir(t))
	w.Take("bb", harness.Busybox(t))
	w.Part("the choice is told and kept", erofsChoice)
	w.Part("what a container changes", erofsCommit)
	w.Part("build", erofsBuild)
	w.Part("the engine is killed", erofsKill)
	w.Part("removal", erofsRemoval)
}

func erofsChoice(w *harness.World) {
	info, err := w.API.Info(w.Ctx(), client.InfoOptions{})
	w.Must(err)
	if info.Info.Driver != "erofs" {
		w.Errorf("driver %s", info.Info.Driver)
	}
	w.Signal(unix.SIGTERM)
	if n := layersMounted(w); n != 0 {
		w.Errorf("%d layers are mounted without an engine", n)
	}
	other := *w
	other.Args = []string{"--storage-driver=overlay2"}
	w.Must(other.Spawn())
	if !other.Ended(60 * time.Second) {
		w.Fatal("an engine with the other driver serves the directory")
	}
	if log := w.Log.String(); !strings.Contains(log, "storage-driver overlayfs: the images below "+w.Layout.Images()+" were unpacked with erofs") {
		w.Errorf("the engine said: %s", log)
	}
	w.Start()
}

func erofsCommit(w *harness.World) {
	id := w.Run(harness.Spec{Cmd: []string{"sh", "-c", "echo new > /etc/new; chmod 4711 /etc/new; ln /etc/new /etc/again; rm /bin/ls; mkdir -p /d/e; sleep 1000"}})
	w.Eventually("the changes", func() bool { _, code := w.Exec(id, "sh", "-c", "test -d /d/e"); return code == 0 })
	diff, err := w.API.ContainerDiff(w.Ctx(), id, client.ContainerDiffOptions{})
	w.Must(err)
	var got []string
	for _, c := range diff.Changes {
		got = append(got, fmt.Sprint(c.Kind, c.Path))
	}
	for _, want := range []string{"A/etc/new", "D/bin/ls", "A/d/e"} {
		if !strings.Contains(strings.Join(got, " "), want) {
			w.Errorf("diff: %v, without %s", got, want)
		}
	}
	_, err = w.API.ContainerCommit(w.Ctx(), id, client.ContainerCommitOptions{Reference: "changed"})
	w.Must(err)
	check := []string{"sh", "-c", "cat /etc/new; stat -c '%a %h' /etc/again; test ! -e /bin/ls && echo gone"}
	if out := w.Output(harness.Spec{Image: "changed", Cmd: check}); out != "new\n4711 2\ngone\n" {
		w.Errorf("the committed image: %q", out)
	}
	res, err := w.API.ImageSave(w.Ctx(), []string{"changed"})
	w.Must(err)
	archive, err := io.ReadAll(res)
	w.Must(err)
	res.Close()
	w.Remove(id)
	_, err = w.API.ImageRemove(w.Ctx(), "changed", client.ImageRemoveOptions{})
	w.Must(err)
	load, err := w.API.ImageLoad(w.Ctx(), bytes.NewReader(archive))
	w.Must(err)
	io.Copy(io.Discard, load)
	load.Close()
	if out := w.Output(harness.Spec{Image: "changed", Cmd: check}); out != "new\n4711 2\ngone\n" {
		w.Errorf("the loaded image: %q", out)
	}
}

func erofsBuild(w *harness.World) {
	a := classicBuild(w, buildContext(w, "FROM changed\nRUN rm /etc/new && echo built > /etc/built && mkdir /x && echo 1 > /x/1\nRUN rm -r /x && mkdir /x\nCOPY f /f\n",
		harness.File{Name: "f", Body: []byte("f")}), client.ImageBuildOptions{Tags: []string{"built"}, Version: "1"})
	if a.err != nil {
		w.Fatalf("%v\n%s", a.err, a.text)
	}
	out := w.Output(harness.Spec{Image: "built", Cmd: []string{"sh", "-c", "cat /etc/built /etc/again /f; for f in /etc/new /x/1; do test ! -e $f && echo gone; done"}})
	if out != "built\nnew\nfgone\ngone\n" {
		w.Errorf("the built image: %q", out)
	}
	if images, _ := filepath.Glob(filepath.Join(w.Layout.Images(), "erofs/snapshots/*/layer.erofs")); len(images) < 4 {
		w.Errorf("layers that are images: %v", images)
	}
}

func erofsKill(w *harness.World) {
	id := w.Run(harness.Spec{Image: "built", Cmd: []string{"sh", "-c", "while :; do cat /etc/built > /seen; sleep 0.1; done"}})
	ref := w.Registry.Push(w.T, "large:1", harness.Image(w.T, nil, nil, harness.Layer(w.T, harness.File{Name: "a", Body: noise(w.T, 8<<20)}),
		harness.Layer(w.T, harness.File{Name: "b", Body: noise(w.T, 8<<20)}), harness.Layer(w.T, harness.File{Name: "d/c", Body: noise(w.T, 8<<20)})))
	for i := range 6 {
		ctx, cancel := context.WithCancel(w.Ctx())
		res, err := w.API.ImagePull(ctx, ref, client.ImagePullOptions{})
		w.Must(err)
		time.Sleep(time.Duration(i*i) * 15 * time.Millisecond)
		w.Signal(unix.SIGKILL)
		cancel()
		res.Close()
		w.Start()
		if n := layersMounted(w); i == 0 && n > 8 {
			w.Errorf("%d layers are mounted after a start", n)
		}
	}
	w.Must(w.Pull(ref))
	if out, code := w.Exec(id, "cat", "/etc/built", "/seen"); out != "built\nbuilt\n" || code != 0 {
		w.Errorf("the container: %q, %d", out, code)
	}
	if half, _ := filepath.Glob(filepath.Join(w.Layout.Images(), "erofs/snapshots/*/*.new")); len(half) > 0 {
		w.Errorf("left: %v", half)
	}
	w.Remove(id)
}

func erofsRemoval(w *harness.World) {
	list, err := w.API.ImageList(w.Ctx(), client.ImageListOptions{All: true})
	w.Must(err)
	for _, i := range list.Items {
		if i.Size <= 0 {
			w.Errorf("image %v has %d bytes", i.RepoTags, i.Size)
		}
		_, err := w.API.ImageRemove(w.Ctx(), i.ID, client.ImageRemoveOptions{Force: true, PruneChildren: true})
		w.Must(err)
	}
	_, err = w.API.BuildCachePrune(w.Ctx(), client.BuildCachePruneOptions{All: true})
	w.Must(err)
	w.Eventually("no layer is mounted and none is there", func() bool {
		left, err := filepath.Glob(filepath.Join(w.Layout.Images(), "erofs/snapshots/*"))
		return err == nil && len(left) == 0 && layersMounted(w) == 0
	})
}
