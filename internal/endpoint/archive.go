package endpoint

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
)

// mostImported bounds an archive of a context: an address and a few certificates.
const mostImported = 10 << 20

// Export writes a context as docker does: meta.json and the certificates below tls, in a tar.
func (s Contexts) Export(name string, w io.Writer) error {
	if _, err := s.Get(name); err != nil {
		return err
	}
	meta, err := os.ReadFile(filepath.Join(s.metaDir(name), "meta.json"))
	if err != nil {
		return errdefs.System("exporting context %q: %w", name, err)
	}
	tw := tar.NewWriter(w)
	err = errors.Join(addFile(tw, "meta.json", meta, 0o644), addDir(tw, "tls"))
	dir := filepath.Join(s.tlsDir(name), dockerEndpoint)
	files, readErr := os.ReadDir(dir)
	if readErr != nil && !errors.Is(readErr, fs.ErrNotExist) {
		err = errors.Join(err, readErr)
	}
	if len(files) > 0 {
		err = errors.Join(err, addDir(tw, path.Join("tls", dockerEndpoint)))
	}
	for _, f := range files {
		b, readErr := os.ReadFile(filepath.Join(dir, f.Name()))
		err = errors.Join(err, readErr, addFile(tw, path.Join("tls", dockerEndpoint, f.Name()), b, 0o600))
	}
	if err = errors.Join(err, tw.Close()); err != nil {
		return errdefs.System("exporting context %q: %w", name, err)
	}
	return nil
}

func addFile(tw *tar.Writer, name string, b []byte, mode int64) error {
	if err := tw.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(b))}); err != nil {
		return err
	}
	_, err := tw.Write(b)
	return err
}

func addDir(tw *tar.Writer, name string) error {
	return tw.WriteHeader(&tar.Header{Name: name, Mode: 0o700, Typeflag: tar.TypeDir})
}

// Import makes a context of what Export, or docker, has written. The name is the caller's, not the archive's.
func (s Contexts) Import(name string, r io.Reader) error {
	files, err := readArchive(io.LimitReader(r, mostImported+1))
	if err != nil {
		return errdefs.Invalid("importing context %q: %w", name, err)
	}
	meta, ok := files["meta.json"]
	if !ok {
		return errdefs.Invalid("importing context %q: invalid context: no metadata found", name)
	}
	c, err := parseContext(meta)
	if err != nil {
		return errdefs.Invalid("importing context %q: meta.json: %w", name, err)
	}
	c.Name = name
	if err := s.Create(c); err != nil {
		return err
	}
	if err := s.writeTLS(name, files); err != nil {
		_ = s.Remove(name) // the error that led here is the one to tell
		return errdefs.System("importing context %q: %w", name, err)
	}
	return nil
}

// certificates are the names that an engine's certificates have.
var certificates = []string{"ca.pem", "cert.pem", "key.pem"}

// readArchive takes meta.json and the engine's certificates, and refuses what would lie elsewhere.
func readArchive(r io.Reader) (map[string][]byte, error) {
	files, total := map[string][]byte{}, 0
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		name := path.Clean(h.Name)
		file, certificate := strings.CutPrefix(name, path.Join("tls", dockerEndpoint)+"/")
		if name != "meta.json" && (!certificate || !slices.Contains(certificates, file)) {
			return nil, errdefs.Invalid("unexpected context file: %s", h.Name)
		}
		if files[name], err = io.ReadAll(tr); err != nil {
			return nil, err
		}
		if total += len(files[name]); total > mostImported {
			return nil, errdefs.Invalid("larger than %d bytes", mostImported)
		}
	}
}

func (s Contexts) writeTLS(name string, files map[string][]byte) error {
	dir := filepath.Join(s.tlsDir(name), dockerEndpoint)
	for _, file := range certificates {
		b, ok := files[path.Join("tls", dockerEndpoint, file)]
		if !ok {
			continue
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}
