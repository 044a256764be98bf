//go:build linux

package layertar

import (
	"errors"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/berthhq/berth/guestagent/engine/image/erofs"
	"github.com/berthhq/berth/internal/errdefs"
)

const (
	maxLinks   = 255     // that are followed to one place, as containerd's archive package has it
	maxPath    = 4095    // bytes, as the kernel has it
	maxName    = 255     // bytes
	maxEntries = 4 << 20 // of one layer: its tree is held in memory
)

var errTooManyLinks = errors.New("too many links")

// tree is a layer's files while they are read. Its paths are absolute and clean, with the layer's root as "/"; symbolic
// links are followed inside it, as in a directory that containerd's archive package unpacks to.
type tree struct{ root *erofs.Node }

// at is what is at a path whose links are resolved; nil for nothing.
func (t tree) at(p string) *erofs.Node {
	n := t.root
	for name := range strings.SplitSeq(strings.Trim(p, "/"), "/") {
		if name == "" {
			return n
		}
		if n = n.Child(name); n == nil {
			return nil
		}
	}
	return n
}

// resolve follows the links of a path, the last one included. What is not there is no link.
func (t tree) resolve(p string) (string, error) {
	p = path.Clean("/" + p)
	for range maxLinks + 1 {
		next, link, err := t.follow(p)
		if err != nil || !link {
			return p, err
		}
		p = next
	}
	return "", errTooManyLinks
}

// follow replaces the first link of a path, if there is one, by what it points at.
func (t tree) follow(p string) (to string, link bool, err error) {
	n, dir, rest := t.root, "/", p[1:]
	for rest != "" {
		name, more, _ := strings.Cut(rest, "/")
		if !n.IsDir() {
			return "", false, &pathError{p, syscall.ENOTDIR}
		}
		if n = n.Child(name); n == nil {
			return p, false, nil
		}
		if n.Kind() == erofs.TypeLink {
			to := n.Target
			if !path.IsAbs(to) {
				to = path.Join(dir, to)
			}
			return path.Join("/", to, more), true, nil
		}
		dir, rest = path.Join(dir, name), more
	}
	return p, false, nil
}

// parent is the directory at a path whose links are resolved, made with those above it where it is not there.
func (t tree) parent(p string) (*erofs.Node, error) {
	n := t.root
	for name := range strings.SplitSeq(strings.Trim(p, "/"), "/") {
		if name == "" {
			break
		}
		if len(name) > maxName || len(p) > maxPath {
			return nil, &pathError{p, syscall.ENAMETOOLONG}
		}
		if strings.Contains(name, "\x00") {
			return nil, &pathError{p, syscall.EINVAL}
		}
		c := n.Child(name)
		if c == nil {
			c = erofs.NewDir(0o755)
			n.Set(name, c)
		}
		if !c.IsDir() {
			return nil, &pathError{p, syscall.ENOTDIR}
		}
		n = c
	}
	return n, nil
}

// hardLinked finds the file that a link entry names: its parents' links are followed, its own is not.
func (t tree) hardLinked(name string) (*erofs.Node, error) {
	dir, base := path.Split(name)
	dir, err := t.resolve(dir)
	if err != nil {
		return nil, err
	}
	n := t.at(path.Join(dir, base))
	switch {
	case n == nil:
		return nil, &pathError{name, syscall.ENOENT}
	case n.IsDir():
		return nil, &pathError{name, syscall.EPERM}
	}
	return n, nil
}

// setTimes gives directories the times that their entries said, whatever is there at the end.
func (t tree) setTimes(dirs []dirTime) error {
	for _, d := range dirs {
		p, err := t.resolve(d.name)
		if err != nil {
			return err
		}
		n := t.at(p)
		if n == nil {
			return &pathError{d.name, syscall.ENOENT}
		}
		n.Mtime = d.mtime
	}
	return nil
}

type dirTime struct {
	name  string
	mtime time.Time
}

// pathError names an entry of a layer.
type pathError struct {
	path string
	err  error
}

func (e *pathError) Error() string { return "layer entry " + e.path + ": " + e.err.Error() }
func (e *pathError) Unwrap() error { return e.err }

func tooMany() error {
	return errdefs.Invalid("layer has more than %d entries, which an EROFS image is not made of", maxEntries)
}
