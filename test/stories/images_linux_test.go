package stories

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

func TestPull(t *testing.T) {
	w := harness.New(t)
	ref := w.Registry.Push(t, "team/noise:v1", harness.Image(t, nil, nil, harness.Layer(t, harness.File{Name: "a", Body: noise(t, 1<<20)}),
		harness.Layer(t, harness.File{Name: "b", Body: noise(t, 1<<20)}), harness.Layer(t, harness.File{Name: "c", Body: noise(t, 1<<20)})))
	messages := func() (statuses []string, progress int) {
		res, err := w.API.ImagePull(w.Ctx(), ref, client.ImagePullOptions{})
		w.Must(err)
		defer res.Close()
		for m, err := range res.JSONMessages(w.Ctx()) {
			w.Must(err)
			statuses = append(statuses, m.Status)
			if m.Progress != nil && m.Progress.Total > 0 {
				progress++
			}
		}
		return statuses, progress
	}
	first, progress := messages()
	all := strings.Join(first, "\n")
	if n := strings.Count(all, "Pull complete"); n != 3 || progress == 0 {
		t.Errorf("%d layers are told complete, not 3, with %d messages of progress: %s", n, progress, all)
	}
	if !strings.Contains(all, "Status: Downloaded newer image for "+ref) {
		t.Errorf("the last line of the first pull: %q", first[len(first)-1])
	}
	again, _ := messages()
	if last := again[len(again)-1]; last != "Status: Image is up to date for "+ref {
		t.Errorf("the last line of the second pull: %q", last)
	}
	for _, missing := range []string{"/team/noise:v2", "/nobody/nothing:latest"} {
		oneLine(w, "pulling "+missing, w.Pull(w.Registry.Addr+missing), "not found")
	}
}

// cutter stands before a registry and cuts the first long answer in half, so that a pull is interrupted.
type cutter struct {
	next  http.Handler
	cut   atomic.Bool
	mu    sync.Mutex
	asked []string // Range headers of requests for blobs after the cut
	sent  atomic.Int64
	half  chan struct{} // closed when half of a blob has been sent

	size    int64 // of the layer
	refuses bool  // to go on in the middle, as some registries do
}

func (c *cutter) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
		c.next.ServeHTTP(out, r)
		return
	}
	if c.cut.Load() {
		c.mu.Lock()
		c.asked = append(c.asked, r.Header.Get("Range"))
		c.mu.Unlock()
		if from, open := strings.CutSuffix(r.Header.Get("Range"), "-"); open && !c.refuses {
			r.Header.Set("Range", fmt.Sprintf("%s-%d", from, c.size-1)) // the registry wants both ends
		}
		c.next.ServeHTTP(&counting{out, &c.sent}, r)
		return
	}
	c.next.ServeHTTP(&halting{ResponseWriter: out, room: 4 << 20, c: c, r: r}, r)
}

// counting counts what is sent.
type counting struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *counting) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return c.ResponseWriter.Write(p)
}

// halting sends so much, then nothing more until the client has left.
type halting struct {
	http.ResponseWriter
	room int
	c    *cutter
	r    *http.Request
}

func (h *halting) Write(p []byte) (int, error) {
	if h.room -= len(p); h.room < 0 {
		h.ResponseWriter.Write(p[:len(p)+h.room])
		if h.c.cut.CompareAndSwap(false, true) {
			h.ResponseWriter.(http.Flusher).Flush()
			close(h.c.half)
		}
		<-h.r.Context().Done()
		return 0, h.r.Context().Err()
	}
	return h.ResponseWriter.Write(p)
}

// A pull whose client goes away in the middle of a layer goes on from there when it is asked for again; where the
// registry does not do that, it begins anew.
func TestInterruptedPull(t *testing.T) {
	w := harness.New(t)
	w.Part("resumes", func(w *harness.World) {
		c := interrupted(w, false)
		if !slices.ContainsFunc(c.asked, func(r string) bool { return strings.HasPrefix(r, "bytes=") && !strings.HasPrefix(r, "bytes=0") }) {
			w.Errorf("no request asks for the rest: %q", c.asked)
		}
		if sent := c.sent.Load(); sent > c.size*9/10 {
			w.Errorf("%d bytes were sent again, of %d", sent, c.size)
		}
	})
	w.Part("begins anew", func(w *harness.World) {
		c := interrupted(w, true)
		if sent := c.sent.Load(); sent < c.size {
			w.Errorf("%d bytes were sent, of %d", sent, c.size)
		}
	})
}

// interrupted pulls an image twice, and leaves the first time when half of its layer has come.
func interrupted(w *harness.World, refuses bool) *cutter {
	w.Helper()
	c := &cutter{half: make(chan struct{}), refuses: refuses}
	reg := harness.NewRegistry(w.T, func(next http.Handler) http.Handler { c.next = next; return c })
	layer := harness.Layer(w.T, harness.File{Name: "a", Body: noise(w.T, 20<<20)}) // the rest is more than the engine keeps in memory
	var err error
	c.size, err = layer.Size()
	w.Must(err)
	ref := reg.Push(w.T, "big:latest", harness.Image(w.T, nil, nil, layer))
	ctx, leave := context.WithCancel(context.Background())
	res, err := w.API.ImagePull(ctx, ref, client.ImagePullOptions{})
	w.Must(err)
	next(w, "half of the layer", c.half)
	w.Eventually("most of what was sent has been written", func() bool {
		list, err := filepath.Glob(filepath.Join(w.Layout.Images(), "content/ingest/*/data"))
		w.Must(err)
		return slices.ContainsFunc(list, func(name string) bool {
			fi, err := os.Stat(name)
			return err == nil && fi.Size() >= 3<<20
		})
	})
	leave()
	res.Close()
	w.Must(w.Pull(ref))
	c.mu.Lock()
	defer c.mu.Unlock()
	return c
}

func TestTagsAndRemoval(t *testing.T) {
	w := harness.New(t)
	w.Tag("bb", "team/bb:v1")
	w.Tag("bb", "team/bb:v2")
	id := w.Run(harness.Spec{Image: "team/bb:v2", Cmd: []string{"sleep", "1000"}})
	remove := func(ref string, force bool) (untagged, deleted int, err error) {
		res, err := w.API.ImageRemove(w.Ctx(), ref, client.ImageRemoveOptions{Force: force, PruneChildren: true})
		for _, r := range res.Items {
			if r.Untagged != "" {
				untagged++
			}
			if r.Deleted != "" {
				deleted++
			}
		}
		return untagged, deleted, err
	}
	if u, d, err := remove("team/bb:v1", false); u == 0 || d != 0 || err != nil {
		t.Errorf("one name of several: %d untagged, %d deleted, %v", u, d, err)
	}
	img, err := w.API.ImageInspect(w.Ctx(), "bb")
	w.Must(err)
	if slices.Contains(img.RepoTags, "team/bb:v1") || !slices.Contains(img.RepoTags, "team/bb:v2") {
		t.Errorf("names: %v", img.RepoTags)
	}
	_, _, err = remove(img.ID, true)
	oneLine(w, "removing by ID, and by force, what a running container uses", err, "cannot be forced")
	for _, ref := range img.RepoTags {
		if ref != "bb:latest" {
			remove(ref, false)
		}
	}
	_, _, err = remove("bb", false)
	oneLine(w, "removing the last name of an image in use", err, "container")
	if out, code := w.Exec(id, "echo", "on"); out != "on\n" || code != 0 {
		t.Errorf("the container: %q, %d", out, code)
	}
	w.Remove(id)
	if _, d, err := remove("bb", false); d == 0 || err != nil {
		t.Errorf("the last name of an unused image: %d deleted, %v", d, err)
	}
	list, err := w.API.ImageList(w.Ctx(), client.ImageListOptions{All: true})
	w.Must(err)
	if len(list.Items) != 0 {
		t.Errorf("left: %+v", list.Items)
	}
}

func TestArchives(t *testing.T) {
	w := harness.New(t)
	running := w.Run(harness.Spec{Cmd: []string{"sleep", "1000"}, Conf: func(_ *container.Config, h *container.HostConfig) { h.Binds = []string{"vol:/vol"} }})
	ended := w.Run(harness.Spec{Cmd: []string{"true"}, Conf: func(_ *container.Config, h *container.HostConfig) { h.Binds = []string{"vol:/vol"} }})
	w.Wait(ended)
	body := harness.Tar(t, harness.Dir("d/"), harness.File{Name: "d/f", Body: []byte("content"), Mode: 0o640, UID: 77}, harness.Symlink("d/l", "f"),
		harness.File{Name: "d/h", Link: "d/f", Type: tar.TypeLink})
	for what, id := range map[string]string{"running": running, "ended": ended} {
		w.Part(what, func(w *harness.World) {
			for _, to := range []string{"/tmp", "/vol"} {
				_, err := w.API.CopyToContainer(w.Ctx(), id, client.CopyToContainerOptions{DestinationPath: to, Content: bytes.NewReader(body), CopyUIDGID: true})
				w.Must(err)
				st, err := w.API.ContainerStatPath(w.Ctx(), id, client.ContainerStatPathOptions{Path: to + "/d/f"})
				w.Must(err)
				if st.Stat.Name != "f" || st.Stat.Size != 7 || st.Stat.Mode.Perm() != 0o640 {
					w.Errorf("%s: %+v", to, st.Stat)
				}
				if got := listing(w, id, to+"/d"); got != "d/ 5 0, d/f 0 77 content, d/h 1 77 d/f, d/l 2 0 f" {
					w.Errorf("%s: %s", to, got)
				}
			}
			_, err := w.API.CopyFromContainer(w.Ctx(), id, client.CopyFromContainerOptions{SourcePath: "/missing"})
			oneLine(w, "copying what is missing", err, "Could not find the file /missing in container")
			_, err = w.API.CopyToContainer(w.Ctx(), id, client.CopyToContainerOptions{DestinationPath: "/etc/passwd", Content: bytes.NewReader(body)})
			oneLine(w, "copying into a file", err, "not a directory")
		})
	}
	if out, _ := w.Exec(running, "cat", "/tmp/d/l", "/vol/d/f"); out != "contentcontent" {
		t.Errorf("in the container: %q", out)
	}
}

// TestExportAtTheEnd exports containers whose command ends meanwhile.
func TestExportAtTheEnd(t *testing.T) {
	w := harness.New(t)
	for range 20 {
		id := w.Run(harness.Spec{Cmd: []string{"true"}})
		r, err := w.API.ContainerExport(w.Ctx(), id, client.ContainerExportOptions{})
		w.Must(err)
		n, err := io.Copy(io.Discard, r)
		w.Must(err)
		if n < 1024 {
			t.Errorf("an archive of %d bytes", n)
		}
		w.Must(r.Close())
		w.Wait(id)
	}
}

// listing is what an archive of a path holds: name, type, owner, content or where it leads.
func listing(w *harness.World, id, path string) string {
	w.Helper()
	r, err := w.API.CopyFromContainer(w.Ctx(), id, client.CopyFromContainerOptions{SourcePath: path})
	w.Must(err)
	defer r.Content.Close()
	var out []string
	for t := tar.NewReader(r.Content); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			slices.Sort(out)
			return strings.Join(out, ", ")
		}
		w.Must(err)
		b, err := io.ReadAll(t)
		w.Must(err)
		line := h.Name + " " + string(h.Typeflag) + " " + map[bool]string{true: "77", false: "0"}[h.Uid == 77]
		if text := string(b) + h.Linkname; text != "" {
			line += " " + text
		}
		out = append(out, line)
	}
}
