//go:build linux

package build

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/archive"
	"github.com/berthhq/berth/guestagent/engine/inroot"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"golang.org/x/sys/unix"
)

// defaultDockerfile is the name of a Dockerfile that is not named.
const defaultDockerfile = "Dockerfile"

// maxDockerfile bounds a Dockerfile, in bytes.
const maxDockerfile = 16 << 20

// buildContext is a build's context, unpacked.
type buildContext struct {
	top        string // the directory that goes with it
	key        string // what tells its content from others'; empty where files have times of their own
	root       *os.File
	name       string // of the Dockerfile, from the root
	dockerfile []byte
}

// unpackContext puts a context, a tar that may be compressed, in a directory of its own. close removes it.
func unpackContext(l paths.Layout, body io.Reader, dockerfile string) (c *buildContext, err error) {
	dir, err := os.MkdirTemp(l.Tmp(), "build-context-")
	if err != nil {
		return nil, errdefs.System("the build's context: %w", err)
	}
	c = &buildContext{top: dir}
	defer c.closeOn(&err)()
	if c.root, err = os.Open(dir); err != nil {
		return nil, errdefs.System("the build's context: %w", err)
	}
	sum := sha256.New()
	body = io.TeeReader(body, sum)
	// What is copied from a context belongs to root, whoever packed it.
	if err := archive.NewRoot(c.root, "build context").Write("/", body, archive.WriteOptions{Owner: &archive.Owner{}}); err != nil {
		return nil, errdefs.Invalid("the build's context: %w", err)
	}
	if _, err := io.Copy(io.Discard, body); err != nil { // what follows the archive's end
		return nil, errdefs.Invalid("the build's context: %w", err)
	}
	c.key = hex.EncodeToString(sum.Sum(nil))
	return c, c.find(dockerfile)
}

// closeOn gives what closes a context at the end of a function that fails.
func (c *buildContext) closeOn(err *error) func() {
	return func() {
		if *err != nil {
			*err = errors.Join(*err, c.close())
		}
	}
}

func (c *buildContext) close() error {
	var err error
	if c.root != nil {
		err = c.root.Close()
	}
	return errors.Join(err, os.RemoveAll(c.top))
}

// find reads the Dockerfile, which never lies outside of the context.
func (c *buildContext) find(name string) (err error) {
	if name == "" {
		name = defaultDockerfile
	}
	clean := path.Clean(name)
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return errdefs.Invalid("forbidden path outside the build context: %s (%s)", name, path.Join("/", name))
	}
	c.name = strings.TrimPrefix(clean, "/")
	c.dockerfile, err = c.read(c.name)
	if errors.Is(err, unix.ENOENT) && c.name == defaultDockerfile {
		c.name = strings.ToLower(defaultDockerfile)
		c.dockerfile, err = c.read(c.name)
	}
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return errdefs.System("Cannot locate specified Dockerfile: %s", name)
	case err != nil:
		return errdefs.Invalid("reading %s: %w", name, err)
	case len(c.dockerfile) == 0:
		return errdefs.Invalid("the Dockerfile (%s) cannot be empty", name)
	}
	return nil
}

func (c *buildContext) read(name string) ([]byte, error) {
	fd, err := inroot.Open(int(c.root.Fd()), name, unix.O_RDONLY|unix.O_NONBLOCK, unix.RESOLVE_NO_MAGICLINKS)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("it is no file")
	}
	if st.Size() > maxDockerfile {
		return nil, errors.New("it is larger than allowed")
	}
	return io.ReadAll(io.LimitReader(f, maxDockerfile))
}
