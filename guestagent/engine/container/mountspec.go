//go:build linux

package container

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/mount"
)

// validVolume is docker's rule for volume names.
var validVolume = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// parseBind reads the form of -v: [source:]destination[:options]. A source without a slash is a volume's name.
func parseBind(spec string) (Mount, error) {
	bad := errdefs.Invalid("invalid volume specification: '%s'", spec)
	parts := strings.Split(spec, ":")
	m := Mount{Type: mount.TypeVolume, Driver: "local"}
	var dst string
	switch len(parts) {
	case 1:
		dst, m.Anonymous = parts[0], true
	case 2:
		if isMode(parts[1]) {
			return m, bad
		}
		m.Source, dst = parts[0], parts[1]
	case 3:
		m.Source, dst, m.Mode = parts[0], parts[1], parts[2]
		if !isMode(m.Mode) {
			return m, errdefs.Invalid("invalid mode: %s", m.Mode)
		}
	default:
		return m, bad
	}
	if len(parts) > 1 && m.Source == "" {
		return m, bad
	}
	clean, err := destination(dst)
	if err != nil {
		return m, errdefs.Invalid("invalid volume specification: '%s': %w", spec, err)
	}
	m.Destination = clean
	if strings.ContainsRune(m.Source, 0) {
		return m, bad
	}
	switch {
	case m.Anonymous:
	case filepath.IsAbs(m.Source):
		m.Type, m.Driver, m.Source, m.MakeSource = mount.TypeBind, "", filepath.Clean(m.Source), true
	case !validVolume.MatchString(m.Source):
		return m, errdefs.Invalid("%q includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path", m.Source)
	default:
		m.Name, m.Source = m.Source, ""
	}
	if err := m.applyMode(); err != nil {
		return m, errdefs.Invalid("invalid volume specification: '%s': %w", spec, err)
	}
	return m, nil
}

// modes are the words that may stand in the options of -v.
func modes() map[string]string {
	return map[string]string{
		"ro": "access", "rw": "access", "z": "label", "Z": "label", "nocopy": "copy",
		"private": "propagation", "rprivate": "propagation", "shared": "propagation", "rshared": "propagation",
		"slave": "propagation", "rslave": "propagation", "consistent": "consistency", "cached": "consistency", "delegated": "consistency",
	}
}

// isMode says whether options consist of known words, of each kind at most one.
func isMode(s string) bool {
	seen := map[string]bool{}
	for _, w := range strings.Split(s, ",") {
		kind, ok := modes()[w]
		if !ok || seen[kind] {
			return false
		}
		seen[kind] = true
	}
	return true
}

func (m *Mount) applyMode() error {
	if m.Mode == "" {
		return nil
	}
	for _, w := range strings.Split(m.Mode, ",") {
		switch modes()[w] {
		case "access":
			m.ReadOnly = w == "ro"
		case "copy":
			if m.Type != mount.TypeVolume {
				return errdefs.Invalid("invalid mount config for type %q: field VolumeOptions must not be specified", m.Type)
			}
			m.NoCopy = true
		case "propagation":
			if m.Type != mount.TypeBind {
				return errdefs.Invalid("invalid mount config for type %q: field BindOptions must not be specified", m.Type)
			}
			m.Propagation = mount.Propagation(w)
		}
	}
	return nil
}

// fromMount reads the form of --mount.
func fromMount(in *mount.Mount) (Mount, error) {
	bad := func(format string, args ...any) error {
		return errdefs.Invalid("invalid mount config for type %q: %s", in.Type, fmt.Sprintf(format, args...))
	}
	m := Mount{Type: in.Type, ReadOnly: in.ReadOnly}
	if in.Target == "" {
		return m, bad("field Target must not be empty")
	}
	clean, err := destination(in.Target)
	if err != nil {
		return m, bad("%s", err)
	}
	m.Destination = clean
	switch in.Type {
	case mount.TypeBind:
		return m, m.fromBind(in, bad)
	case mount.TypeVolume:
		return m, m.fromVolume(in, bad)
	case mount.TypeTmpfs:
		return m, m.fromTmpfs(in, bad)
	case mount.TypeImage:
		return m, m.fromImage(in, bad)
	case mount.TypeCluster, mount.TypeNamedPipe:
		return m, bad("is not supported by this engine")
	}
	return m, errdefs.Invalid("invalid mount config for type %q: mount type unknown", in.Type)
}

func (m *Mount) fromBind(in *mount.Mount, bad func(string, ...any) error) error {
	switch {
	case in.VolumeOptions != nil:
		return bad("field VolumeOptions must not be specified")
	case in.TmpfsOptions != nil:
		return bad("field TmpfsOptions must not be specified")
	case in.Source == "":
		return bad("field Source must not be empty")
	case !filepath.IsAbs(in.Source):
		return bad("invalid mount path: '%s' mount path must be absolute", in.Source)
	}
	m.Source = filepath.Clean(in.Source)
	if o := in.BindOptions; o != nil {
		if o.Propagation != "" && modes()[string(o.Propagation)] != "propagation" {
			return bad("invalid propagation mode: %s", o.Propagation)
		}
		m.Propagation, m.NoRecurse, m.MakeSource, m.ShallowRO = o.Propagation, o.NonRecursive, o.CreateMountpoint, o.ReadOnlyNonRecursive
		if o.ReadOnlyForceRecursive {
			switch {
			case o.ReadOnlyNonRecursive:
				return bad("bind-recursive options conflict")
			case !m.ReadOnly:
				return bad("option bind-recursive=readonly requires the mount to be read-only")
			}
		}
	}
	return nil
}

func (m *Mount) fromVolume(in *mount.Mount, bad func(string, ...any) error) error {
	switch {
	case in.BindOptions != nil:
		return bad("field BindOptions must not be specified")
	case in.TmpfsOptions != nil:
		return bad("field TmpfsOptions must not be specified")
	case in.Source != "" && !validVolume.MatchString(in.Source):
		return bad("%q includes invalid characters for a local volume name", in.Source)
	}
	m.Driver, m.Name, m.Anonymous = "local", in.Source, in.Source == ""
	if o := in.VolumeOptions; o != nil {
		m.NoCopy, m.Subpath = o.NoCopy, o.Subpath
		if m.Subpath != "" && !filepath.IsLocal(m.Subpath) {
			return bad("subpath must be a relative path within the volume")
		}
		if o.DriverConfig != nil && o.DriverConfig.Name != "" {
			m.Driver = o.DriverConfig.Name
		}
	}
	return nil
}

func (m *Mount) fromTmpfs(in *mount.Mount, bad func(string, ...any) error) error {
	switch {
	case in.BindOptions != nil:
		return bad("field BindOptions must not be specified")
	case in.VolumeOptions != nil:
		return bad("field VolumeOptions must not be specified")
	case in.Source != "":
		return bad("field Source must not be specified")
	}
	if o := in.TmpfsOptions; o != nil {
		if o.SizeBytes > 0 {
			m.Options = append(m.Options, fmt.Sprintf("size=%d", o.SizeBytes))
		}
		if o.Mode != 0 {
			m.Options = append(m.Options, fmt.Sprintf("mode=%o", uint32(o.Mode)))
		}
		for _, opt := range o.Options {
			m.Options = append(m.Options, strings.Join(opt, "="))
		}
	}
	return nil
}

// within says whether a place is another or lies below it; both are absolute.
func within(dst, below string) bool {
	return dst == below || strings.HasPrefix(dst, strings.TrimSuffix(path.Clean(below), "/")+"/")
}
