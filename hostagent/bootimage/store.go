package bootimage

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/vmimage/manifest"
)

// digest is that of the manifest of the image that this program was built with, in hexadecimal; set by the linker.
var digest string

// Digest is the image of this build; empty where it was built without one.
func Digest() string { return digest }

// Store is where images are.
type Store struct {
	Installed string // the directory of the image that came with this program
	Kept      string // a machine's own: a directory a digest
}

// Image is an image that is there; its bytes have been verified.
type Image struct {
	Digest   string
	Manifest manifest.Manifest
	// Kernel and Initrd are open at their beginning, as verified.
	Kernel, Initrd *os.File
}

// Close closes the files.
func (i *Image) Close() error { return errors.Join(i.Kernel.Close(), i.Initrd.Close()) }

// Open gives an image by its digest, from those kept or from what is installed, which is then kept. Errors name what is
// missing or changed.
func (s Store) Open(digest string) (*Image, error) {
	if digest == "" {
		return nil, errdefs.Unavailable("this berth-hostagent was built without an image of the virtual machine").
			WithHint("Build one: make vmimage build")
	}
	dir := filepath.Join(s.Kept, digest)
	if img, err := open(dir, digest); err == nil {
		return img, nil
	}
	// What is kept is not there, or is damaged: the installed one replaces it.
	img, err := open(s.Installed, digest)
	if err != nil {
		return nil, unusable(s.Installed, err)
	}
	if err := keep(s.Installed, dir, img.Manifest); err != nil {
		img.Close()
		return nil, errdefs.System("keeping the virtual machine's image in %s: %w", dir, err)
	}
	return img, nil
}

func unusable(dir string, err error) error {
	hint := "Install berth again, or build the image: make vmimage"
	if errors.Is(err, fs.ErrNotExist) {
		return errdefs.NotFound("no image of the virtual machine in %s", dir).WithHint("%s", hint)
	}
	return errdefs.System("the virtual machine's image is not the one berth was built with: %w", err).WithHint("%s", hint)
}

func open(dir, digest string) (*Image, error) {
	m, err := manifest.Read(dir, digest)
	if err != nil {
		return nil, err
	}
	kernel, err := m.Open(dir, manifest.Kernel)
	if err != nil {
		return nil, err
	}
	initrd, err := m.Open(dir, manifest.Initrd)
	if err != nil {
		kernel.Close()
		return nil, err
	}
	return &Image{Digest: digest, Manifest: m, Kernel: kernel, Initrd: initrd}, nil
}

// keep copies an image, and shows it under its name only when it is whole.
func keep(from, to string, m manifest.Manifest) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	next, err := os.MkdirTemp(filepath.Dir(to), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(next)
	files := []string{manifest.Name}
	for _, p := range m.Parts {
		files = append(files, p.File)
	}
	for _, f := range files {
		if err := copyFile(filepath.Join(from, f), filepath.Join(next, f)); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return os.Rename(next, to)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o400)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// Prune removes kept images but those named.
func (s Store) Prune(keep ...string) error {
	dirs, err := os.ReadDir(s.Kept)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, d := range dirs {
		if !slices.Contains(keep, d.Name()) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.Kept, d.Name())))
		}
	}
	return err
}
