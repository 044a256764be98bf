//go:build linux

package layertar

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/berthhq/berth/guestagent/engine/image/erofs"
	"github.com/berthhq/berth/internal/errdefs"
	"golang.org/x/sys/unix"
)

const (
	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// ApplyImage is Apply into a new file, which becomes an EROFS image of the layer when Settle is called.
func ApplyImage(ctx context.Context, file string, src io.Reader, limit int64) (_ Applied, err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Applied{}, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	w, err := erofs.NewWriter(f)
	if err != nil {
		return Applied{}, err
	}
	im := &imager{w: w, tree: tree{w.Root()}}
	got, err := apply(ctx, src, limit, func(ctx context.Context, in io.Reader, seen *dirsSeen) error {
		return im.read(ctx, tar.NewReader(in), seen)
	})
	got.image, got.file = w, f
	return got, err
}

// imager makes the tree of a layer as containerd's archive package would make its directory.
type imager struct {
	w       *erofs.Writer
	tree    tree
	entries int
	dirs    []dirTime
}

func (im *imager) read(ctx context.Context, tr *tar.Reader, seen *dirsSeen) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return im.tree.setTimes(im.dirs)
		}
		if err != nil {
			return err
		}
		h.Name = path.Clean(h.Name)
		if _, err := seen.header(h); err != nil {
			return err
		}
		if im.entries++; im.entries > maxEntries {
			return tooMany()
		}
		if err := im.entry(h, tr); err != nil {
			return err
		}
	}
}

// entry is one entry of the tar.
func (im *imager) entry(h *tar.Header, data io.Reader) error {
	dir, base := path.Split(h.Name)
	dir, err := im.tree.resolve(dir)
	if err != nil {
		return fmt.Errorf("layer entry %s: %w", h.Name, err)
	}
	if base = path.Join("/", base)[1:]; base == "" {
		return nil // the root
	}
	parent, err := im.tree.parent(dir)
	if err != nil {
		return err
	}
	switch {
	case len(base) > maxName || len(dir)+len(base) > maxPath:
		return &pathError{h.Name, syscall.ENAMETOOLONG}
	case strings.Contains(base, "\x00"):
		return &pathError{h.Name, syscall.EINVAL}
	case base == whiteoutOpaque:
		setXattr(parent, "trusted.overlay.opaque", "y")
		return nil
	case strings.HasPrefix(base, whiteoutPrefix):
		return whiteout(parent, base[len(whiteoutPrefix):], h)
	}
	n := parent.Child(base)
	if n == nil || !n.IsDir() || h.Typeflag != tar.TypeDir {
		parent.Remove(base)
		if n, err = im.node(h, data); err != nil || n == nil {
			return err
		}
		parent.Set(base, n)
	}
	if h.Typeflag == tar.TypeDir {
		im.dirs = append(im.dirs, dirTime{h.Name, boundTime(h.ModTime)})
	}
	return describe(n, h)
}

// whiteout makes what overlayfs takes for "removed".
func whiteout(parent *erofs.Node, name string, h *tar.Header) error {
	if name == "" || name == "." || name == ".." {
		return errdefs.Invalid("invalid whiteout name: %s", h.Name)
	}
	if parent.Child(name) != nil {
		return &pathError{h.Name, syscall.EEXIST}
	}
	parent.Set(name, &erofs.Node{Mode: erofs.TypeChar, UID: uint32(h.Uid), GID: uint32(h.Gid), Mtime: time.Now()})
	return nil
}

// node makes what an entry describes, without its attributes; nil for what is no file.
func (im *imager) node(h *tar.Header, data io.Reader) (*erofs.Node, error) {
	switch h.Typeflag {
	case tar.TypeDir:
		return erofs.NewDir(0), nil
	case tar.TypeReg, '\x00': // the form of before POSIX
		n := &erofs.Node{Mode: erofs.TypeFile}
		return n, im.w.Data(n, data)
	case tar.TypeBlock, tar.TypeChar, tar.TypeFifo:
		return device(h)
	case tar.TypeSymlink:
		return symlink(h)
	case tar.TypeLink:
		return im.tree.hardLinked(h.Linkname)
	case tar.TypeXGlobalHeader:
		return nil, nil
	}
	return nil, fmt.Errorf("unhandled tar header type %d", h.Typeflag)
}

func device(h *tar.Header) (*erofs.Node, error) {
	if h.Devmajor < 0 || h.Devmajor > math.MaxUint32 || h.Devminor < 0 || h.Devminor > math.MaxUint32 {
		return nil, errdefs.Invalid("device number %d:%d of %s is out of range", h.Devmajor, h.Devminor, h.Name)
	}
	kind := map[byte]uint32{tar.TypeBlock: erofs.TypeBlock, tar.TypeChar: erofs.TypeChar, tar.TypeFifo: erofs.TypeFIFO}[h.Typeflag]
	return &erofs.Node{Mode: kind, Rdev: uint32(unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor)))}, nil
}

func symlink(h *tar.Header) (*erofs.Node, error) {
	switch {
	case h.Linkname == "":
		return nil, &pathError{h.Name, syscall.ENOENT}
	case len(h.Linkname) > maxPath:
		return nil, &pathError{h.Name, syscall.ENAMETOOLONG}
	case strings.Contains(h.Linkname, "\x00"):
		return nil, &pathError{h.Name, syscall.EINVAL}
	}
	return &erofs.Node{Mode: erofs.TypeLink | 0o777, Target: h.Linkname}, nil
}

// boundTime is a time that every file system can hold, as containerd's archive package has it.
func boundTime(t time.Time) time.Time {
	if first, last := time.Unix(0, 0), time.Unix(0, math.MaxInt64); t.Before(first) || t.After(last) {
		return first
	}
	return t
}
