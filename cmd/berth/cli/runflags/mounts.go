package runflags

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/docker/cli/opts"
	"github.com/spf13/pflag"
)

// mountFlags are volumes, binds and tmpfs.
type mountFlags struct {
	volumes, tmpfs, from opts.ListOpts
	mounts               opts.MountOpt
	driver               string
}

func (m *mountFlags) add(fs *pflag.FlagSet) {
	m.volumes = opts.NewListOpts(nil)
	m.tmpfs = opts.NewListOpts(nil)
	m.from = opts.NewListOpts(nil)
	fs.VarP(&m.volumes, "volume", "v", "Bind mount a volume")
	fs.Var(&m.mounts, "mount", "Attach a filesystem mount to the container")
	fs.Var(&m.tmpfs, "tmpfs", "Mount a tmpfs directory")
	fs.Var(&m.from, "volumes-from", "Mount volumes from the specified container(s)")
	fs.StringVar(&m.driver, "volume-driver", "", "Optional volume driver for the container")
}

func (m *mountFlags) apply(_ *pflag.FlagSet, spec *Spec) error {
	h := spec.HostConfig
	seen := map[string]bool{}
	for _, v := range m.volumes.GetSlice() {
		if seen[v] {
			continue
		}
		seen[v] = true
		bind, anonymous, err := parseVolume(v)
		if err != nil {
			return err
		}
		if !anonymous {
			h.Binds = append(h.Binds, bind)
			continue
		}
		if spec.Config.Volumes == nil {
			spec.Config.Volumes = map[string]struct{}{}
		}
		spec.Config.Volumes[bind] = struct{}{}
	}
	h.Tmpfs = map[string]string{}
	for _, t := range m.tmpfs.GetSlice() {
		k, v, _ := strings.Cut(t, ":")
		h.Tmpfs[k] = v
	}
	h.VolumesFrom, h.VolumeDriver, h.Mounts = m.from.GetSlice(), m.driver, m.mounts.Value()
	return nil
}

// parseVolume checks -v and makes a path that begins with a dot absolute: only this side knows the directory.
// anonymous is a target alone.
func parseVolume(v string) (bind string, anonymous bool, err error) {
	if v == "" {
		return "", false, errors.New("invalid empty volume spec")
	}
	parts := splitVolume(v)
	if len(parts) == 1 {
		return v, true, nil
	}
	if len(parts) > 3 {
		return "", false, fmt.Errorf("invalid spec: %s: too many colons", v)
	}
	for _, p := range parts {
		if p == "" {
			return "", false, fmt.Errorf("invalid spec: %s: empty section between colons", v)
		}
	}
	if strings.HasPrefix(parts[0], ".") {
		abs, err := filepath.Abs(parts[0])
		if err != nil {
			return "", false, fmt.Errorf("invalid spec: %s: %w", v, err)
		}
		parts[0] = abs
	}
	return strings.Join(parts, ":"), false, nil
}

// splitVolume splits at colons, but not behind the drive letter of a Windows path.
func splitVolume(v string) []string {
	var parts []string
	for part := range strings.SplitSeq(v, ":") {
		if n := len(parts); n > 0 && isDrive(parts[n-1]) && strings.HasPrefix(part, `\`) || n > 0 && isDrive(parts[n-1]) && n == 1 && strings.HasPrefix(part, "/") && strings.Count(v, ":") > 1 {
			parts[n-1] += ":" + part
			continue
		}
		parts = append(parts, part)
	}
	return parts
}

func isDrive(s string) bool {
	return len(s) == 1 && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z')
}
