//go:build linux

package container

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/mount"
)

// mountsOf resolves everything that a container is to have mounted: volumes from others, then the image's volumes,
// then -v, --tmpfs and --mount, of which no two may name one place. All forms go through one normaliser, so that no
// check of one can be avoided by using another (CVE-2026-6406).
func (s *Service) mountsOf(r *Record) ([]Mount, error) {
	at := map[string]Mount{}
	if err := s.volumesFrom(r, at); err != nil {
		return nil, err
	}
	asked := map[string]bool{}
	ask := func(m Mount) error {
		if err := s.sharesRoot(&m); err != nil {
			return err
		}
		if asked[m.Destination] {
			return errdefs.Invalid("Duplicate mount point: %s", m.Destination)
		}
		asked[m.Destination] = true
		at[m.Destination] = m
		return nil
	}
	for _, spec := range r.Host.Binds {
		m, err := parseBind(spec)
		if err == nil {
			err = ask(m)
		}
		if err != nil {
			return nil, err
		}
	}
	for i := range r.Host.Mounts {
		m, err := fromMount(&r.Host.Mounts[i])
		if err == nil {
			err = s.sourceExists(&m)
		}
		if err == nil {
			err = ask(m)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, dst := range slices.Sorted(maps.Keys(r.Host.Tmpfs)) {
		clean, err := destination(dst)
		if err == nil {
			err = ask(Mount{Type: mount.TypeTmpfs, OfTmpfs: true, Destination: clean, Mode: r.Host.Tmpfs[dst], Options: splitOptions(r.Host.Tmpfs[dst])})
		}
		if err != nil {
			return nil, err
		}
	}
	for _, dst := range slices.Sorted(maps.Keys(r.Config.Volumes)) {
		clean, err := destination(dst)
		if err != nil {
			return nil, err
		}
		if _, ok := at[clean]; !ok {
			at[clean] = Mount{Type: mount.TypeVolume, Driver: "local", Destination: clean, Anonymous: true}
		}
	}
	out := make([]Mount, 0, len(at))
	for _, dst := range slices.Sorted(maps.Keys(at)) {
		out = append(out, at[dst])
	}
	return out, nil
}

// sharesRoot is docker's rule for binds of the engine's own directory, of one in it or of one around it, such as "/": what
// is unmounted there must be unmounted in the container too, so that nothing keeps it busy.
func (s *Service) sharesRoot(m *Mount) error {
	root := s.Layout.Root
	if s.Defaults.HostPath != nil { // no path of the host leads there
		return nil
	}
	if m.Type != mount.TypeBind || !within(m.Source, root) && !within(root, m.Source) {
		return nil
	}
	switch m.Propagation {
	case "":
		m.Propagation = mount.PropagationRSlave
	case mount.PropagationRSlave, mount.PropagationRShared:
	default:
		return errdefs.Invalid("invalid mount config: must use either propagation mode \"rslave\" or \"rshared\" when mount source is within the daemon root, daemon root: %q, bind mount source: %q, propagation: %q",
			root, m.Source, m.Propagation)
	}
	return nil
}

// destination checks and cleans a place in the container.
func destination(dst string) (string, error) {
	if strings.ContainsRune(dst, 0) {
		return "", errdefs.Invalid("invalid mount path: %q", dst)
	}
	clean := path.Clean(dst)
	switch {
	case dst == "":
		return "", errdefs.Invalid("invalid volume specification: destination can't be empty")
	case !path.IsAbs(clean):
		return "", errdefs.Invalid("invalid mount path: '%s' mount path must be absolute", dst)
	case clean == "/":
		return "", errdefs.Invalid("invalid specification: destination can't be '/'")
	}
	return clean, nil
}

func splitOptions(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// volumesFrom takes over the volumes and binds of other containers.
func (s *Service) volumesFrom(r *Record, at map[string]Mount) error {
	for _, spec := range r.Host.VolumesFrom {
		ref, mode, has := strings.Cut(spec, ":")
		if ref == "" {
			return errdefs.Invalid("invalid volume specification: '%s'", spec)
		}
		if has && mode != "ro" && mode != "rw" && mode != "z" && mode != "Z" {
			return errdefs.Invalid("invalid mode: %s", mode)
		}
		other, err := s.find(ref)
		if err != nil {
			return errdefs.Invalid("%w", err)
		}
		for _, m := range other.snapshot().Mounts {
			if m.Type != mount.TypeBind && m.Type != mount.TypeVolume {
				continue
			}
			m.ReadOnly = m.ReadOnly || mode == "ro"
			m.Anonymous, m.Inherited = false, m.Anonymous || m.Inherited
			at[m.Destination] = m
		}
	}
	return nil
}
