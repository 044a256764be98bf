package attack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// copyIn puts an archive into a directory of a container.
func copyIn(w *harness.World, id, dir string, archive []byte) error {
	_, err := w.API.CopyToContainer(w.Ctx(), id, client.CopyToContainerOptions{DestinationPath: dir, Content: bytes.NewReader(archive)})
	return err
}

// copyOut gives all content of an archive of a path of a container.
func copyOut(w *harness.World, id, path string) (string, error) {
	r, err := w.API.CopyFromContainer(w.Ctx(), id, client.CopyFromContainerOptions{SourcePath: path})
	if err != nil {
		return "", err
	}
	defer r.Content.Close()
	var all strings.Builder
	for t := tar.NewReader(r.Content); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return all.String(), nil
		}
		if err != nil {
			return all.String(), err
		}
		all.WriteString(h.Name + "\n")
		if _, err := io.Copy(&all, t); err != nil {
			return all.String(), err
		}
	}
}

// An archive that names what lies outside: in a running container and in one that is not.
func TestHostileArchivesStayInside(t *testing.T) {
	w := newWorld(t)
	dir, file := victim(t)
	up := strings.Repeat("../", 20)
	body := []byte("owned")
	running := w.Run(harness.Spec{Cmd: []string{"sleep", "1000"}, Conf: func(_ *container.Config, h *container.HostConfig) { h.Binds = []string{"vol:/v"} }})
	still := w.Create(harness.Spec{Cmd: []string{"sleep", "1000"}, Conf: func(_ *container.Config, h *container.HostConfig) { h.Binds = []string{"vol:/v"} }})
	for what, files := range map[string][]harness.File{
		"dot dot":               {{Name: up + file[1:], Body: body}},
		"absolute":              {{Name: file, Body: body}},
		"through a link":        {harness.Symlink("l", dir), {Name: "l/secret", Body: body}, {Name: "l/new", Body: body}},
		"through a link up":     {harness.Symlink("l", up+dir[1:]), {Name: "l/secret", Body: body}},
		"over a link":           {harness.Symlink("l", file), {Name: "l", Body: body}},
		"a directory of a link": {harness.Symlink("l", dir), {Name: "l", Type: tar.TypeDir, Mode: 0o777}, {Name: "l/new", Body: body}},
		"hard link":             {{Name: "h", Link: file, Type: tar.TypeLink}, {Name: "h", Body: body}},
		"hard link up":          {{Name: "h", Link: up + file[1:], Type: tar.TypeLink}},
		"hard link by a link":   {harness.Symlink("l", dir), {Name: "h", Link: "l/secret", Type: tar.TypeLink}},
		"hard link to a link":   {harness.Symlink("l", file), {Name: "h", Link: "l", Type: tar.TypeLink}, {Name: "h", Body: body}},
		"device":                {{Name: "mem", Type: tar.TypeChar, Mode: 0o666}},
		"block device":          {{Name: "disk", Type: tar.TypeBlock, Mode: 0o666}},
	} {
		archive := harness.Tar(t, files...)
		for _, id := range []string{running, still} {
			for _, to := range []string{"/tmp", "/v", "/"} {
				copyIn(w, id, to, archive) // whether it is refused does not matter
				for _, name := range []string{"h", "l", "l/secret", "mem", "disk"} {
					if out, _ := copyOut(w, id, to+"/"+name); strings.Contains(out, secret) {
						t.Errorf("%s in %s: the machine's file is read: %q", what, to, out)
					}
				}
			}
		}
		if out, _ := w.Exec(running, "sh", "-c", "[ -c /tmp/mem -o -b /tmp/disk -o -c /v/mem -o -b /v/disk ] && echo device"); out != "" {
			t.Errorf("%s: a device was made", what)
		}
		w.Exec(running, "sh", "-c", "rm -rf /tmp/* /v/* /h /l /mem /disk")
	}
	untouched(t, dir, file)
}

// CVE-2018-15664, CVE-2026-41568, CVE-2026-42306: the container swaps a directory for a link while files are copied.
func TestSwappedCopyPaths(t *testing.T) {
	w := newWorld(t)
	dir, file := victim(t)
	up := strings.Repeat("../", 20)
	for what, to := range map[string]string{"absolute": dir, "relative": up + dir[1:]} {
		w.Part(what, func(w *harness.World) {
			prepare := "mkdir -p /v/a/b; echo mine > /v/a/secret; ln -s " + to + " /v/swap"
			id := racer(w, prepare, "/v/a", "/v/swap")
			defer stopRacer(w, id)
			in := harness.Tar(w.T, harness.File{Name: "secret", Body: []byte("owned")}, harness.File{Name: "b/new", Body: []byte("owned")})
			whole := harness.Tar(w.T, harness.File{Name: "a/secret", Body: []byte("owned")}, harness.File{Name: "v/a/new", Body: []byte("owned")})
			for range 20 * rounds() {
				for _, path := range []string{"/v/a/secret", "/v/a/", "/v", "/v/swap/."} {
					if out, _ := copyOut(w, id, path); strings.Contains(out, secret) {
						w.Fatalf("%s out of the container holds the machine's file", path)
					}
				}
				copyIn(w, id, "/v/a", in)
				copyIn(w, id, "/v", whole)
				copyIn(w, id, "/", whole)
			}
		})
	}
	untouched(t, dir, file)
}

// Paths that mean something else to the engine than to the container lead to the container's files or nowhere.
func TestCopyFollowsNoMagicLinks(t *testing.T) {
	w := newWorld(t)
	dir, file := victim(t)
	id := w.Run(harness.Spec{Cmd: []string{"sh", "-c", "exec 9</; sleep 1000"}})
	for _, path := range []string{"/proc/1/root", "/proc/self/root", "/proc/self/cwd", "/proc/1/fd/9", "/proc/1/fd/9/..", "/proc/1/task/1/root/.."} {
		if out, _ := copyOut(w, id, path+file); strings.Contains(out, secret) {
			t.Errorf("%s leads out: %q", path, out)
		}
		copyIn(w, id, path+dir, harness.Tar(t, harness.File{Name: "new"}))
	}
	untouched(t, dir, file)
}

// GO-2026-5746: an archive is unpacked by the engine itself: none of the container's programs has a part in it.
func TestNoHelperOfTheContainerRuns(t *testing.T) {
	w := newWorld(t)
	trap := []byte("#!/bin/sh\ntouch /ran\ncat\n")
	var files []harness.File
	for _, dir := range []string{"bin/", "usr/", "usr/bin/", "usr/local/", "usr/local/bin/"} {
		files = append(files, harness.Dir(dir))
		if strings.HasSuffix(dir, "bin/") {
			for _, name := range []string{"xz", "unxz", "gzip", "gunzip", "unpigz", "igzip", "bzip2", "tar", "zstd"} {
				files = append(files, harness.File{Name: dir + name, Mode: 0o755, Body: trap})
			}
		}
	}
	w.Take("trap", harness.Image(t, harness.Busybox(t), nil, harness.Layer(t, files...)))
	plain := harness.Tar(t, harness.File{Name: "f", Body: []byte("content")})
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(plain)
	z.Close()
	xz := append([]byte{0xfd, '7', 'z', 'X', 'Z', 0}, bytes.Repeat([]byte{1}, 600)...)
	for _, start := range []bool{true, false} {
		id := w.Create(harness.Spec{Image: "trap", Cmd: []string{"sleep", "1000"}})
		if start {
			w.Begin(id)
		}
		for what, archive := range map[string][]byte{"plain": plain, "gzip": zipped.Bytes(), "xz": xz, "bzip2": []byte("BZh91AY&SY" + strings.Repeat("x", 600))} {
			err := copyIn(w, id, "/tmp", archive)
			if (what == "plain" || what == "gzip") && err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if out, err := copyOut(w, id, "/tmp/f"); err != nil || !strings.Contains(out, "content") {
			t.Errorf("what was copied in is %q, %v", out, err)
		}
		if _, err := copyOut(w, id, "/ran"); err == nil {
			t.Error("a program of the container ran")
		}
		w.Remove(id)
	}
}
