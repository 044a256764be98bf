// Package manifest says what an image consists of: the size and SHA-256 of every part. Whoever knows the manifest's own
// digest can tell whether a byte of any part is another. It is made by vmimage/mkimage and read by the host agent; it
// imports nothing of berth.
package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Name is the manifest's file, beside the parts.
const Name = "manifest.json"

// Format is the manifest's own version.
const Format = 1

// The roles of parts.
const (
	Kernel = "kernel" // uncompressed vmlinux on amd64, Image on arm64
	Initrd = "initrd" // everything else
)

// Manifest describes an image.
type Manifest struct {
	Format  int    `json:"format"`
	Arch    string `json:"arch"` // as GOARCH
	Version string `json:"version"`
	Kernel  string `json:"kernelVersion"`
	Parts   []Part `json:"parts"`
	// Inputs are what it was made from, for people: name and SHA-256.
	Inputs map[string]string `json:"inputs"`
}

// Part is one file of the image.
type Part struct {
	Role   string `json:"role"`
	File   string `json:"file"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// maxManifest bounds what is read of a manifest.
const maxManifest = 1 << 20

// Encode gives the manifest's bytes, always the same for the same manifest.
func (m Manifest) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(m, "", "\t")
	return append(b, '\n'), err
}

// Digest is the SHA-256 of a manifest's bytes, in hexadecimal.
func Digest(encoded []byte) string {
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:])
}

// Read reads the manifest of a directory, which must have the digest.
func Read(dir, digest string) (Manifest, error) {
	var m Manifest
	path := filepath.Join(dir, Name)
	f, err := os.Open(path)
	if err != nil {
		return m, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil {
		return m, err
	}
	if got := Digest(b); got != digest {
		return m, fmt.Errorf("%s: its SHA-256 is %s, not %s", path, got, digest)
	}
	return Parse(b)
}

// Parse reads a manifest and refuses one that makes no sense.
func Parse(b []byte) (Manifest, error) {
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("image manifest: %w", err)
	}
	if m.Format != Format {
		return m, fmt.Errorf("image manifest: format %d is not known here, only %d", m.Format, Format)
	}
	for _, p := range m.Parts {
		sum, err := hex.DecodeString(p.SHA256)
		if err != nil || len(sum) != sha256.Size || p.Size < 0 || p.File != filepath.Base(p.File) || p.File == "." || p.File == ".." {
			return m, fmt.Errorf("image manifest: part %q makes no sense", p.File)
		}
	}
	for _, role := range []string{Kernel, Initrd} {
		if _, err := m.Part(role); err != nil {
			return m, err
		}
	}
	return m, nil
}

// Part gives the part of a role.
func (m Manifest) Part(role string) (Part, error) {
	for _, p := range m.Parts {
		if p.Role == role {
			return p, nil
		}
	}
	return Part{}, fmt.Errorf("image manifest: no %s", role)
}

// ErrChanged marks a part that is not what the manifest says.
var ErrChanged = errors.New("the file has been changed")

// Open opens a part and verifies it. What is read from the descriptor afterwards is what was verified as long as nobody
// writes to the file, which only its owner can.
func (m Manifest) Open(dir, role string) (*os.File, error) {
	p, err := m.Part(role)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, p.File)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := p.Verify(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Verify compares size and digest of what r gives.
func (p Part) Verify(r io.Reader) error {
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(r, p.Size+1))
	if err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); n != p.Size || sum != p.SHA256 {
		return fmt.Errorf("%w: %d bytes with SHA-256 %s, not %d with %s", ErrChanged, n, sum, p.Size, p.SHA256)
	}
	return nil
}

// Describe makes the Part of a file.
func Describe(role, path string) (Part, error) {
	f, err := os.Open(path)
	if err != nil {
		return Part{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return Part{Role: role, File: filepath.Base(path), Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}
