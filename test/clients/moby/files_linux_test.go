package moby

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/berthhq/berth/test/harness"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// files copies a tree in and out, of a container that runs and after it was stopped, through a volume as well.
func files(w *harness.World) {
	volume, err := w.API.VolumeCreate(w.Ctx(), client.VolumeCreateOptions{})
	w.Must(err)
	w.Cleanup(func() { w.API.VolumeRemove(w.Ctx(), volume.Volume.Name, client.VolumeRemoveOptions{}) })
	id := run(w, harness.Spec{Cmd: []string{"sleep", "1000"}, Conf: func(_ *container.Config, h *container.HostConfig) {
		h.Binds = []string{volume.Volume.Name + ":/vol"}
	}})
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	tree := harness.Tar(w.T, harness.Dir("tree/"), harness.File{Name: "tree/big", Body: big, UID: 7, Mode: 0o640},
		harness.Symlink("tree/link", "big"), harness.File{Name: "tree/empty", Mode: 0o4755})
	for _, to := range []string{"/tmp", "/vol"} {
		w.Must(put(w, id, to, tree))
		if out, code := w.Exec(id, "sh", "-c", "cd "+to+"/tree && cmp big link && stat -c '%n %s %u %a' big empty && readlink link"); code != 0 || out != "big 1048576 7 640\nempty 0 0 4755\nbig\n" {
			w.Errorf("in %s the container sees %q (%d)", to, out, code)
		}
	}
	w.Exec(id, "sh", "-c", "echo more >> /tmp/tree/empty")
	outside(w, id, big)
	if _, err := w.API.ContainerStop(w.Ctx(), id, client.ContainerStopOptions{Timeout: new(int)}); err != nil {
		w.Fatal(err)
	}
	outside(w, id, big)
	w.Must(put(w, id, "/tmp/tree/", harness.Tar(w.T, harness.File{Name: "late", Body: []byte("late\n")})))
	w.Begin(id)
	if out, _ := w.Exec(id, "cat", "/tmp/tree/late"); out != "late\n" {
		w.Errorf("what was copied while it did not run reads %q", out)
	}
	refusals(w, id, tree)
}

// outside looks at the tree from outside the container.
func outside(w *harness.World, id string, big []byte) {
	w.Helper()
	at := map[string]string{}
	for _, h := range fetch(w, id, "/tmp/tree", func(h *tar.Header, body []byte) {
		if h.Name == "tree/big" && !bytes.Equal(body, big) {
			w.Errorf("tree/big has come out as %d other bytes", len(body))
		}
		at[h.Name] = string(body)
	}) {
		if h.Name == "tree/big" && (h.Uid != 7 || h.Mode&0o7777 != 0o640) {
			w.Errorf("tree/big has owner %d and mode %o", h.Uid, h.Mode)
		}
		if h.Name == "tree/link" && (h.Typeflag != tar.TypeSymlink || h.Linkname != "big") {
			w.Errorf("tree/link is %c to %q", h.Typeflag, h.Linkname)
		}
	}
	if at["tree/empty"] != "more\n" {
		w.Errorf("what the container wrote is %q", at["tree/empty"])
	}
	var names []string
	for _, h := range fetch(w, id, "/vol/tree/.", nil) {
		names = append(names, h.Name)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "./ ./big ./empty ./link" && got != "/ /big /empty /link" && got != "big empty link" {
		w.Errorf("the volume's directory holds %q", got)
	}
	link, err := w.API.ContainerStatPath(w.Ctx(), id, client.ContainerStatPathOptions{Path: "/tmp/tree/link"})
	w.Must(err)
	if s := link.Stat; s.Name != "link" || s.Mode&os.ModeSymlink == 0 || s.LinkTarget != "/tmp/tree/big" {
		w.Errorf("stat of the link: %+v", s)
	}
}

// refusals are copies that cannot be, each with the kind of its error and the name in it.
func refusals(w *harness.World, id string, tree []byte) {
	for _, c := range []struct {
		what string
		err  error
		is   func(error) bool
		name string
	}{
		{"into a directory that is not there", put(w, id, "/nosuch", tree), errdefs.IsNotFound, "/nosuch"},
		{"into a file", put(w, id, "/etc/passwd", tree), errdefs.IsInvalidArgument, "not a directory"},
		{"into no container", put(w, "nosuch", "/tmp", tree), errdefs.IsNotFound, "nosuch"},
		{"a directory over a file", put(w, id, "/tmp", harness.Tar(w.T, harness.Dir("tree/big/"))), func(error) bool { return true }, "cannot overwrite"},
	} {
		if c.err == nil || !c.is(c.err) || !strings.Contains(c.err.Error(), c.name) {
			w.Errorf("%s: %v", c.what, c.err)
		}
	}
	_, err := w.API.CopyFromContainer(w.Ctx(), id, client.CopyFromContainerOptions{SourcePath: "/nosuch"})
	if !errdefs.IsNotFound(err) || !strings.Contains(err.Error(), "/nosuch") {
		w.Errorf("out of nowhere: %v", err)
	}
}

func put(w *harness.World, id, to string, archive []byte) error {
	_, err := w.API.CopyToContainer(w.Ctx(), id, client.CopyToContainerOptions{
		DestinationPath: to, Content: bytes.NewReader(archive), CopyUIDGID: false,
	})
	return err
}

// fetch copies out and gives the entries; see is told of each with its contents.
func fetch(w *harness.World, id, from string, see func(*tar.Header, []byte)) []*tar.Header {
	w.Helper()
	res, err := w.API.CopyFromContainer(w.Ctx(), id, client.CopyFromContainerOptions{SourcePath: from})
	w.Must(err)
	defer res.Content.Close()
	var all []*tar.Header
	for r := tar.NewReader(res.Content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		w.Must(err)
		body, err := io.ReadAll(r)
		w.Must(err)
		all = append(all, h)
		if see != nil {
			see(h, body)
		}
	}
}
