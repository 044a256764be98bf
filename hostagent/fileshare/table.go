package fileshare

import (
	"fmt"
	"sort"
	"strings"
)

// Share is one directory or file of the host that the guest may see.
type Share struct {
	Name     string // under which the guest mounts it
	Path     string // on the host: absolute and clean
	ReadOnly bool
}

// Table is what is shared. It answers which share a path of the host is in.
type Table struct {
	goos   string
	shares []Share // the longest paths first
}

// NewTable makes a table with the path rules of goos.
func NewTable(goos string, shares []Share) (*Table, error) {
	t := &Table{goos: goos}
	seen := map[string]bool{}
	for _, s := range shares {
		p, err := t.clean(s.Path)
		if err != nil {
			return nil, err
		}
		if seen[s.Name] || s.Name == "" || strings.ContainsAny(s.Name, "/\x00") || s.Name == "." || s.Name == ".." {
			return nil, fmt.Errorf("share %s: %q is not a name of its own", s.Path, s.Name)
		}
		seen[s.Name] = true
		s.Path = p
		t.shares = append(t.shares, s)
	}
	sort.SliceStable(t.shares, func(i, j int) bool { return len(t.shares[i].Path) > len(t.shares[j].Path) })
	return t, nil
}

// Outside is the error for a path that is in no share.
type Outside struct {
	Path   string
	Shared []string
}

// Error names the path and what is shared.
func (e *Outside) Error() string {
	if len(e.Shared) == 0 {
		return fmt.Sprintf("the path %s is not shared with the virtual machine: nothing is", e.Path)
	}
	return fmt.Sprintf("the path %s is not shared with the virtual machine; shared are %s", e.Path, strings.Join(e.Shared, ", "))
}

// Resolve finds the share that a path of the host is in, and where it is in it, with slashes; "" is the share itself. It
// is by name alone: what the name leads to is the server's matter, which follows nothing out of the share.
func (t *Table) Resolve(path string) (Share, string, error) {
	p, err := t.clean(path)
	if err != nil {
		return Share{}, "", err
	}
	for _, s := range t.shares {
		if rest, ok := t.within(s.Path, p); ok {
			return s, rest, nil
		}
	}
	e := &Outside{Path: path}
	for _, s := range t.shares {
		e.Shared = append(e.Shared, s.Path)
	}
	sort.Strings(e.Shared)
	return Share{}, "", e
}

// within says where p is below root. Windows does not tell upper from lower case, and the rest keeps what was written.
func (t *Table) within(root, p string) (string, bool) {
	a, b := root, p
	if t.goos == "windows" {
		a, b = strings.ToLower(a), strings.ToLower(b)
	}
	if len(a) != len(root) || len(b) != len(p) { // letters whose lower case has another length
		a, b = root, p
	}
	switch {
	case a == b:
		return "", true
	case strings.HasSuffix(a, "/") && strings.HasPrefix(b, a):
		return p[len(a):], true
	case strings.HasPrefix(b, a+"/"):
		return p[len(a)+1:], true
	}
	return "", false
}

// clean makes a path absolute with slashes, without "." and "..": /a/b, or C:/a/b on Windows, where /c/a/b is the same.
func (t *Table) clean(path string) (string, error) {
	volume, rest := "", path
	if t.goos == "windows" {
		rest = strings.ReplaceAll(rest, `\`, "/")
		if len(rest) >= 2 && rest[0] == '/' && (len(rest) == 2 || rest[2] == '/') { // /c/x, as a Linux engine carries it
			rest = rest[1:2] + ":/" + strings.TrimPrefix(rest[2:], "/")
		}
		if len(rest) < 3 || rest[1] != ':' || rest[2] != '/' {
			return "", fmt.Errorf("the path %s is not an absolute path with a drive", path)
		}
		volume, rest = strings.ToUpper(rest[:1])+":", rest[2:]
	}
	if !strings.HasPrefix(rest, "/") || strings.Contains(rest, "\x00") {
		return "", fmt.Errorf("the path %s is not absolute", path)
	}
	var parts []string
	for _, p := range strings.Split(rest, "/") {
		switch p {
		case "", ".":
		case "..":
			parts = parts[:max(0, len(parts)-1)]
		default:
			parts = append(parts, p)
		}
	}
	return volume + "/" + strings.Join(parts, "/"), nil
}
