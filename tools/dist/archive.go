package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// sorted is a copy in the order of paths.
func sorted(entries []entry) []entry {
	out := slices.Clone(entries)
	slices.SortFunc(out, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	return out
}

// create writes a file by a function; what fails half-way is removed.
func create(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		os.Remove(path)
		return err
	}
	return nil
}

func copyFrom(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// writeTar writes a .tar.gz whose files are root's and carry one time.
func writeTar(path string, entries []entry, when time.Time) error {
	return create(path, func(w io.Writer) error {
		z := gzip.NewWriter(w)
		t := tar.NewWriter(z)
		for _, e := range sorted(entries) {
			if err := addTar(t, e, when); err != nil {
				return err
			}
		}
		return errors.Join(t.Close(), z.Close())
	})
}

func addTar(t *tar.Writer, e entry, when time.Time) error {
	h := &tar.Header{Name: e.path, Mode: int64(e.mode.Perm()), ModTime: when, Uname: "root", Gname: "root", Typeflag: tar.TypeReg}
	if e.link != "" {
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, e.link, 0o777
		return t.WriteHeader(h)
	}
	info, err := os.Stat(e.source)
	if err != nil {
		return err
	}
	h.Size = info.Size()
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	return copyFrom(t, e.source)
}

// writeZip writes a .zip whose files carry one time. It has no links.
func writeZip(path string, entries []entry, when time.Time) error {
	return create(path, func(w io.Writer) error {
		z := zip.NewWriter(w)
		for _, e := range sorted(entries) {
			h := &zip.FileHeader{Name: e.path, Method: zip.Deflate, Modified: when}
			h.SetMode(e.mode)
			f, err := z.CreateHeader(h)
			if err != nil {
				return err
			}
			if err := copyFrom(f, e.source); err != nil {
				return err
			}
		}
		return z.Close()
	})
}
