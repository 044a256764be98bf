package tree

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/internal/fusewire"
)

// Tree is the root of a share, held open: a share whose path is renamed stays the directory that it was.
type Tree struct {
	root int
	file string // the one name of a share that is a single file
}

// Open opens the directory or the single file at path, whose links are followed this once.
func Open(path string) (*Tree, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return nil, fmt.Errorf("share %s: %w", path, err)
	}
	t := &Tree{}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
	case unix.S_IFREG:
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			return nil, fmt.Errorf("share %s: %w", path, err)
		}
		path, t.file = filepath.Dir(real), filepath.Base(real)
	default:
		return nil, fmt.Errorf("share %s: neither a directory nor a regular file", path)
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("share %s: %w", path, err)
	}
	t.root = fd
	return t, nil
}

// Close lets go of the root.
func (t *Tree) Close() error { return unix.Close(t.root) }

// File says that the share is a single file, which is then its root.
func (t *Tree) File() bool { return t.file != "" }

const resolve = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_SYMLINKS

// maxPath keeps each openat2 below PATH_MAX; deeper paths are walked in pieces.
const maxPath = 4000

// Ref pins what stands at path, "" being the root. No part of path is followed where it is a link.
func (t *Tree) Ref(path string) (Ref, error) {
	if t.file != "" {
		if path != "" {
			return Ref{}, fusewire.ENOTDIR
		}
		path = t.file
	}
	dir, rest, owned := t.root, path, false
	for len(rest) > maxPath {
		cut := strings.LastIndexByte(rest[:maxPath], '/')
		fd, err := openat2(dir, rest[:cut], unix.O_PATH|unix.O_DIRECTORY)
		if owned {
			_ = unix.Close(dir)
		}
		if err != nil {
			return Ref{}, errno(err)
		}
		dir, rest, owned = fd, rest[cut+1:], true
	}
	if rest == "" {
		rest = "."
	}
	fd, err := openat2(dir, rest, unix.O_PATH|unix.O_NOFOLLOW)
	if owned {
		_ = unix.Close(dir)
	}
	if err != nil {
		return Ref{}, errno(err)
	}
	return Ref{fd: fd}, nil
}

func openat2(dir int, path string, flags uint64) (int, error) {
	for {
		fd, err := unix.Openat2(dir, path, &unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: resolve})
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// errno makes any error one that can be sent. A link in the middle of a path is a path that is no more.
func errno(err error) error {
	if err == nil {
		return nil
	}
	var sent fusewire.Errno
	if errors.As(err, &sent) {
		return sent
	}
	var n unix.Errno
	if !errors.As(err, &n) {
		return fusewire.EIO
	}
	if n == unix.ELOOP || n == unix.EXDEV {
		return fusewire.ESTALE
	}
	return fusewire.Errno(n)
}

// plain is errno for calls in which ELOOP and EXDEV mean what they say.
func plain(err error) error {
	var n unix.Errno
	if errors.As(err, &n) {
		return fusewire.Errno(n)
	}
	return errno(err)
}
