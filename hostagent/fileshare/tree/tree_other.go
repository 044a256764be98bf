//go:build !linux

package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/berthhq/berth/internal/fusewire"
)

// Tree is the root of a share, held by an os.Root, which no path and no link leads out of.
type Tree struct {
	root *os.Root
	file string // the one name of a share that is a single file
}

// Open opens the directory or the single file at path, whose links are followed this once.
func Open(path string) (*Tree, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("share %s: %w", path, err)
	}
	fi, err := os.Stat(real)
	if err != nil {
		return nil, fmt.Errorf("share %s: %w", path, err)
	}
	t := &Tree{}
	switch {
	case fi.Mode().IsRegular():
		real, t.file = filepath.Dir(real), filepath.Base(real)
	case !fi.IsDir():
		return nil, fmt.Errorf("share %s: neither a directory nor a regular file", path)
	}
	if t.root, err = os.OpenRoot(real); err != nil {
		return nil, fmt.Errorf("share %s: %w", path, err)
	}
	return t, nil
}

// Close lets go of the root.
func (t *Tree) Close() error { return t.root.Close() }

// File says that the share is a single file, which is then its root.
func (t *Tree) File() bool { return t.file != "" }

// Ref pins what stands at path, "" being the root.
func (t *Tree) Ref(path string) (Ref, error) {
	if t.file != "" {
		if path != "" {
			return Ref{}, fusewire.ENOTDIR
		}
		path = t.file
	}
	if path == "" {
		path = "."
	}
	r := Ref{root: t.root, path: path}
	_, err := r.Stat()
	return r, err
}

// plain makes an error of Go's one of Linux'.
func plain(err error) error {
	var sent fusewire.Errno
	var sys syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.As(err, &sent):
		return sent
	case errors.Is(err, fs.ErrNotExist):
		return fusewire.ENOENT
	case errors.Is(err, fs.ErrExist):
		return fusewire.EEXIST
	case errors.Is(err, fs.ErrPermission):
		return fusewire.EACCES
	case errors.Is(err, fs.ErrClosed):
		return fusewire.EBADF
	case errors.Is(err, errors.ErrUnsupported):
		return fusewire.EOPNOTSUPP
	case errors.As(err, &sys):
		return number(sys)
	default:
		return fusewire.EIO
	}
}

func timeOf(t interface{ Unix() int64 }, nsec int) fusewire.Time {
	return fusewire.Time{Sec: t.Unix(), Nsec: uint32(nsec)}
}

func modeOf(m fs.FileMode) uint32 {
	out := uint32(m.Perm())
	switch m.Type() {
	case 0:
		out |= fusewire.ModeRegular
	case fs.ModeDir:
		out |= fusewire.ModeDir
	case fs.ModeSymlink:
		out |= fusewire.ModeSymlink
	case fs.ModeNamedPipe:
		out |= fusewire.ModeFifo
	case fs.ModeSocket:
		out |= fusewire.ModeSocket
	default:
		out |= fusewire.ModeChar
	}
	return out
}
