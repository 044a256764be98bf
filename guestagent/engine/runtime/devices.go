//go:build linux

package runtime

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// setDevices gives the container docker's device policy: all denied but the pseudo devices, mknod allowed (the
// capability decides), and what --device and --device-cgroup-rule add. A privileged container sees the machine's.
func setDevices(s *specs.Spec, in Input) error {
	s.Linux.Resources = &specs.LinuxResources{}
	if in.Host.Privileged {
		s.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
		devs, err := devicesBelow("/dev", "/dev")
		if err != nil {
			return err
		}
		s.Linux.Devices = devs
	} else {
		s.Linux.Resources.Devices = defaultDeviceRules()
	}
	for _, m := range in.Host.Devices {
		devs, err := mappedDevices(m)
		if err != nil {
			return err
		}
		for _, d := range devs {
			s.Linux.Devices = append(s.Linux.Devices, d)
			s.Linux.Resources.Devices = append(s.Linux.Resources.Devices, specs.LinuxDeviceCgroup{
				Allow: true, Type: d.Type, Major: &d.Major, Minor: &d.Minor, Access: accessOf(m),
			})
		}
	}
	for _, rule := range in.Host.DeviceCgroupRules {
		d, err := deviceRule(rule)
		if err != nil {
			return err
		}
		s.Linux.Resources.Devices = append(s.Linux.Resources.Devices, d)
	}
	return nil
}

func accessOf(m container.DeviceMapping) string {
	if m.CgroupPermissions == "" {
		return "rwm"
	}
	return m.CgroupPermissions
}

func defaultDeviceRules() []specs.LinuxDeviceCgroup {
	rule := func(allow bool, kind string, major, minor int64, access string) specs.LinuxDeviceCgroup {
		d := specs.LinuxDeviceCgroup{Allow: allow, Type: kind, Access: access}
		if major >= 0 {
			d.Major = &major
		}
		if minor >= 0 {
			d.Minor = &minor
		}
		return d
	}
	return []specs.LinuxDeviceCgroup{
		rule(false, "", -1, -1, "rwm"),
		rule(true, "c", -1, -1, "m"), rule(true, "b", -1, -1, "m"),
		rule(true, "c", 1, 3, "rwm"), rule(true, "c", 1, 5, "rwm"), rule(true, "c", 1, 7, "rwm"), // null zero full
		rule(true, "c", 1, 8, "rwm"), rule(true, "c", 1, 9, "rwm"), // random urandom
		rule(true, "c", 5, 0, "rwm"), rule(true, "c", 5, 1, "rwm"), rule(true, "c", 5, 2, "rwm"), // tty console ptmx
		rule(true, "c", 136, -1, "rwm"), // ptys
	}
}

// mappedDevices resolves one --device: a node, a symlink to one, or a directory of them.
func mappedDevices(m container.DeviceMapping) ([]specs.LinuxDevice, error) {
	src, err := filepath.EvalSymlinks(m.PathOnHost)
	if err != nil {
		return nil, errdefs.Invalid("error gathering device information while adding custom device %q: no such file or directory", m.PathOnHost)
	}
	dst := m.PathInContainer
	if dst == "" {
		dst = m.PathOnHost
	}
	if st, err := os.Stat(src); err == nil && st.IsDir() {
		devs, err := devicesBelow(src, dst)
		if err == nil && len(devs) == 0 {
			err = errdefs.Invalid("error gathering device information while adding custom device %q: not a device node", m.PathOnHost)
		}
		return devs, err
	}
	d, ok, err := deviceAt(src, dst)
	if err == nil && !ok {
		err = errdefs.Invalid("error gathering device information while adding custom device %q: not a device node", m.PathOnHost)
	}
	return []specs.LinuxDevice{d}, err
}

func devicesBelow(dir, dst string) (out []specs.LinuxDevice, err error) {
	skip := map[string]bool{"pts": true, "shm": true, "fd": true, "mqueue": true, ".lxc": true, ".lxd-mounts": true, ".udev": true}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, errdefs.System("reading devices of %s: %w", dir, err)
	}
	for _, e := range entries {
		from, to := filepath.Join(dir, e.Name()), filepath.Join(dst, e.Name())
		switch {
		case e.IsDir() && !skip[e.Name()]:
			sub, err := devicesBelow(from, to)
			if err != nil {
				return nil, err
			}
			out = append(out, sub...)
		case e.Name() == "console" || e.IsDir() || e.Type()&os.ModeDevice == 0:
		default:
			if d, ok, err := deviceAt(from, to); err == nil && ok {
				out = append(out, d)
			}
		}
	}
	return out, nil
}

func deviceAt(src, dst string) (specs.LinuxDevice, bool, error) {
	var st unix.Stat_t
	if err := unix.Stat(src, &st); err != nil {
		return specs.LinuxDevice{}, false, errdefs.Invalid("device %s: %w", src, err)
	}
	kind := ""
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		kind = "c"
	case unix.S_IFBLK:
		kind = "b"
	case unix.S_IFIFO:
		kind = "p"
	default:
		return specs.LinuxDevice{}, false, nil
	}
	mode := os.FileMode(st.Mode & 0o7777)
	return specs.LinuxDevice{
		Path: strings.TrimSuffix(dst, "/"), Type: kind, FileMode: &mode, UID: &st.Uid, GID: &st.Gid,
		Major: int64(unix.Major(st.Rdev)), Minor: int64(unix.Minor(st.Rdev)),
	}, true, nil
}
