package kernel

import (
	"archive/tar"
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/ulikunitz/xz"
)

// Package is what the image needs of a kernel's Debian package.
type Package struct {
	Version string // as uname gives it
	Vmlinuz []byte
	modules map[string][]byte // by module name: the file, compressed as it came
	builtin map[string]bool
}

// Open reads a kernel's Debian package.
func Open(file string) (*Package, error) {
	p := &Package{modules: map[string][]byte{}, builtin: map[string]bool{}}
	err := EachFile(file, func(name string, r io.Reader) error {
		switch {
		case strings.HasPrefix(name, "boot/vmlinuz-"):
			p.Version = strings.TrimPrefix(name, "boot/vmlinuz-")
			return fill(&p.Vmlinuz, r)
		case strings.HasSuffix(name, ".ko.xz"):
			b, err := io.ReadAll(r)
			p.modules[moduleName(name)] = b
			return err
		case strings.HasSuffix(name, "/modules.builtin"):
			b, err := io.ReadAll(r)
			for _, line := range strings.Fields(string(b)) {
				p.builtin[moduleName(line)] = true
			}
			return err
		}
		return nil
	})
	if err == nil && (p.Vmlinuz == nil || len(p.modules) == 0) {
		err = fmt.Errorf("%s: it has no kernel, or no modules", file)
	}
	return p, err
}

func fill(to *[]byte, r io.Reader) (err error) {
	*to, err = io.ReadAll(r)
	return err
}

// moduleName is the name that the kernel gives a module's file.
func moduleName(file string) string {
	base, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(base, "-", "_")
}

// EachFile calls do for each regular file of a Debian package.
func EachFile(file string, do func(name string, r io.Reader) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := member(bufio.NewReaderSize(f, 1<<20), "data.tar.xz")
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	x, err := xz.NewReader(data)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for t := tar.NewReader(x); ; {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := do(strings.TrimPrefix(h.Name, "./"), t); err != nil {
			return fmt.Errorf("%s: %s: %w", file, h.Name, err)
		}
	}
}

// member finds a member of an ar archive, the form of a Debian package.
func member(r io.Reader, name string) (io.Reader, error) {
	magic := make([]byte, 8)
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != "!<arch>\n" {
		return nil, fmt.Errorf("it is no Debian package")
	}
	for {
		h := make([]byte, 60)
		if _, err := io.ReadFull(r, h); err != nil {
			return nil, fmt.Errorf("it has no %s", name)
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(h[48:58])), 10, 64)
		if err != nil || size < 0 {
			return nil, fmt.Errorf("it is damaged")
		}
		if strings.TrimRight(string(bytes.TrimSpace(h[:16])), "/") == name {
			return io.LimitReader(r, size), nil
		}
		if _, err := io.CopyN(io.Discard, r, size+size%2); err != nil {
			return nil, err
		}
	}
}
