package endpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
)

// Contexts is docker's store of contexts below ~/.docker/contexts: a directory a context, named by the digest of
// the context's name. Both programs read and write it.
type Contexts struct{ Dir string } // Dir is docker's configuration directory

// Context is one named engine.
type Context struct {
	Name          string
	Description   string
	Host          string
	SkipTLSVerify bool
}

// metaFile is meta.json as docker writes it.
type metaFile struct {
	Name     string `json:"Name"`
	Metadata struct {
		Description string `json:"Description,omitempty"`
	} `json:"Metadata"`
	Endpoints map[string]endpointMeta `json:"Endpoints"`
}

type endpointMeta struct {
	Host          string `json:"Host,omitempty"`
	SkipTLSVerify bool   `json:"SkipTLSVerify"`
}

// dockerEndpoint is the key of the engine's address among a context's endpoints.
const dockerEndpoint = "docker"

func (s Contexts) metaDir(name string) string {
	return filepath.Join(s.Dir, "contexts", "meta", contextID(name))
}

func (s Contexts) tlsDir(name string) string {
	return filepath.Join(s.Dir, "contexts", "tls", contextID(name))
}

// MetadataPath and TLSPath are the directories of one context.
func (s Contexts) MetadataPath(name string) string { return s.metaDir(name) }

// TLSPath is where the context's certificates lie.
func (s Contexts) TLSPath(name string) string { return s.tlsDir(name) }

func contextID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// Get reads a context; KindNotFound where there is none of that name.
func (s Contexts) Get(name string) (Context, error) {
	c, err := readContext(filepath.Join(s.metaDir(name), "meta.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Context{}, errdefs.NotFound("context %q does not exist", name).WithHint("Run 'berth context ls' to see the contexts.")
	}
	if err != nil {
		return Context{}, errdefs.System("reading context %q: %w", name, err)
	}
	return c, nil
}

// List reads all contexts, sorted by name. A directory that holds no readable context is passed over.
func (s Contexts) List() ([]Context, error) {
	dirs, err := os.ReadDir(filepath.Join(s.Dir, "contexts", "meta"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errdefs.System("reading contexts: %w", err)
	}
	var all []Context
	for _, d := range dirs {
		c, err := readContext(filepath.Join(s.Dir, "contexts", "meta", d.Name(), "meta.json"))
		if err == nil {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b Context) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Create writes a new context; KindConflict where the name is taken.
func (s Contexts) Create(c Context) error {
	if !validName(c.Name) {
		return errdefs.Invalid("context name %q is invalid, names are validated against regexp %q", c.Name, contextName)
	}
	if c.Name == DefaultContext {
		return errdefs.Invalid(`"default" is a reserved context name`)
	}
	if _, err := s.Get(c.Name); err == nil {
		return errdefs.Conflict("context %q already exists", c.Name)
	}
	return s.write(c)
}

// Update changes a context that is there; KindNotFound where it is not.
func (s Contexts) Update(c Context) error {
	if _, err := s.Get(c.Name); err != nil {
		return err
	}
	return s.write(c)
}

// write replaces a context's meta.json as a whole.
func (s Contexts) write(c Context) error {
	var m metaFile
	m.Name, m.Metadata.Description = c.Name, c.Description
	m.Endpoints = map[string]endpointMeta{dockerEndpoint: {Host: c.Host, SkipTLSVerify: c.SkipTLSVerify}}
	b, err := json.Marshal(m)
	if err != nil {
		return errdefs.System("writing context %q: %w", c.Name, err)
	}
	if err := os.MkdirAll(s.metaDir(c.Name), 0o755); err != nil {
		return errdefs.System("writing context %q: %w", c.Name, err)
	}
	file := filepath.Join(s.metaDir(c.Name), "meta.json")
	err = os.WriteFile(file+".new", b, 0o644)
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		return errdefs.System("writing context %q: %w", c.Name, err)
	}
	return nil
}

// Remove deletes a context and its certificates.
func (s Contexts) Remove(name string) error {
	if _, err := s.Get(name); err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(s.metaDir(name)), os.RemoveAll(s.tlsDir(name))); err != nil {
		return errdefs.System("removing context %q: %w", name, err)
	}
	return nil
}

// SaveTLS copies certificate files into the context; empty names are left out.
func (s Contexts) SaveTLS(name string, from TLSFiles) error {
	dir := filepath.Join(s.tlsDir(name), dockerEndpoint)
	for file, src := range map[string]string{"ca.pem": from.CA, "cert.pem": from.Cert, "key.pem": from.Key} {
		if src == "" {
			continue
		}
		b, err := os.ReadFile(src)
		if err != nil {
			return errdefs.Invalid("context %q: %w", name, err)
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return errdefs.System("writing context %q: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), b, 0o600); err != nil {
			return errdefs.System("writing context %q: %w", name, err)
		}
	}
	return nil
}

// TLS finds the certificate files of a context; nil where it has none.
func (s Contexts) TLS(c Context) *TLSFiles {
	dir := filepath.Join(s.tlsDir(c.Name), dockerEndpoint)
	t := TLSFiles{SkipVerify: c.SkipTLSVerify}
	for file, to := range map[string]*string{"ca.pem": &t.CA, "cert.pem": &t.Cert, "key.pem": &t.Key} {
		if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
			*to = filepath.Join(dir, file)
		}
	}
	if t == (TLSFiles{}) {
		return nil
	}
	return &t
}

func readContext(file string) (Context, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return Context{}, err
	}
	return parseContext(b)
}

// parseContext reads one meta.json.
func parseContext(b []byte) (Context, error) {
	var m metaFile
	if err := json.Unmarshal(b, &m); err != nil {
		return Context{}, err
	}
	e := m.Endpoints[dockerEndpoint]
	return Context{Name: m.Name, Description: m.Metadata.Description, Host: e.Host, SkipTLSVerify: e.SkipTLSVerify}, nil
}

const contextName = `^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$`

func validName(name string) bool {
	ok, err := regexp.MatchString(contextName, name)
	return err == nil && ok
}
