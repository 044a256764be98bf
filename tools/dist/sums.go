package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const sumsName = "SHA256SUMS"

// digest is the SHA-256 of a file, in hexadecimal.
func digest(path string) (string, error) {
	h := sha256.New()
	if err := copyFrom(h, path); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sums writes SHA256SUMS over all that was made, as sha256sum -c reads it.
func (r *release) sums() error {
	var b strings.Builder
	err := filepath.WalkDir(r.out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == sumsName {
			return err
		}
		sum, err := digest(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(r.out, path)
		b.WriteString(sum + "  " + filepath.ToSlash(name) + "\n")
		return err
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, sumsName), []byte(b.String()), 0o644)
}
