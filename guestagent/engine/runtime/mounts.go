//go:build linux

package runtime

import (
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// defaultShmSize is docker's, in bytes.
const defaultShmSize = 64 << 20

// setMounts lays out the container's file system: the kernel's own file systems first, then the files berth keeps for
// it, then what was asked for. What is asked for wins over a default at the same place, as in docker.
func setMounts(s *specs.Spec, in Input) error {
	asked, raw := map[string]bool{}, map[string]bool{}
	for _, m := range in.Raw {
		raw[path.Clean(m.Destination)] = true
	}
	for _, m := range in.Mounts {
		asked[path.Clean(m.Destination)] = true
	}
	taken := func(dst string) bool { return asked[path.Clean(dst)] || raw[path.Clean(dst)] }
	base := slices.DeleteFunc(kernelMounts(in), func(m specs.Mount) bool { return taken(m.Destination) })
	var user []specs.Mount
	for _, f := range in.Files {
		if !taken(f.Destination) {
			user = append(user, f.oci())
		}
	}
	for _, m := range in.Mounts {
		if raw[path.Clean(m.Destination)] {
			continue
		}
		user = append(user, m.oci())
		switch m.Propagation {
		case "shared", "rshared":
			s.Linux.RootfsPropagation = "shared"
		case "slave", "rslave":
			if s.Linux.RootfsPropagation != "shared" {
				s.Linux.RootfsPropagation = "rslave"
			}
		}
	}
	user = append(user, in.Raw...)
	sort.SliceStable(user, func(i, j int) bool { return depth(user[i].Destination) < depth(user[j].Destination) })
	s.Mounts = append(base, user...)
	opts, err := parseSecurityOpts(in.Host.SecurityOpt)
	if err != nil {
		return err
	}
	if opts.cgroups == "true" && !in.IDs.Empty() {
		return errdefs.Invalid("option WritableCgroups conflicts with user namespaces and rootless mode")
	}
	if in.Host.Privileged {
		writable(s.Mounts, "sysfs")
	}
	if opts.cgroups == "true" || opts.cgroups == "" && in.Host.Privileged && !in.Host.ReadonlyRootfs {
		writable(s.Mounts, "cgroup")
	}
	return nil
}

func depth(p string) int {
	return strings.Count(path.Clean(p), "/")
}

// writable opens the mounts of a kind of file system to the container.
func writable(mounts []specs.Mount, kind string) {
	for i, m := range mounts {
		if m.Type == kind {
			mounts[i].Options = slices.DeleteFunc(slices.Clone(m.Options), func(o string) bool { return o == "ro" })
		}
	}
}

func kernelMounts(in Input) []specs.Mount {
	ms := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		sysfs(in),
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"ro", "nosuid", "noexec", "nodev"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
	}
	switch {
	case in.Host.IpcMode.IsHost():
		ms = append(ms, bind("/dev/shm", "/dev/shm")) // an mqueue shows the queues of the namespace it is mounted in
	case in.Host.IpcMode.IsNone():
	case in.ShmPath != "":
		ms = append(ms, bind(in.ShmPath, "/dev/shm"))
	default:
		size := in.Host.ShmSize
		if size <= 0 {
			size = defaultShmSize
		}
		ms = append(ms, specs.Mount{Destination: "/dev/shm", Type: "tmpfs", Source: "shm",
			Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=" + strconv.FormatInt(size, 10)}})
	}
	return ms
}

// sysfs shows the network namespace it is mounted in, so a container on the machine's network gets a bind instead.
func sysfs(in Input) specs.Mount {
	if in.NetNS == "" {
		return specs.Mount{Destination: "/sys", Type: "bind", Source: "/sys", Options: []string{"rbind", "nosuid", "noexec", "nodev", "ro"}}
	}
	return specs.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}}
}

func bind(src, dst string) specs.Mount {
	return specs.Mount{Destination: dst, Type: "bind", Source: src, Options: []string{"rbind", "rprivate"}}
}

func (m Mount) oci() specs.Mount {
	out := specs.Mount{Destination: path.Clean(m.Destination), Type: m.Type, Source: m.Source}
	if m.Type == "tmpfs" {
		out.Source = "tmpfs"
		out.Options = append([]string{"noexec", "nosuid", "nodev", "rprivate"}, m.Options...)
		out.Options = tmpfsOptions(out.Options)
		if m.ReadOnly {
			out.Options = append(out.Options, "ro")
		}
		return out
	}
	out.Type = "bind"
	kind := "rbind"
	if m.NoRecurse {
		kind = "bind"
	}
	prop := m.Propagation
	if prop == "" {
		prop = "rprivate"
	}
	out.Options = append([]string{kind, prop}, m.Options...)
	if m.ReadOnly {
		out.Options = append(out.Options, "ro")
		if !m.NoRecurse && !m.ShallowReadOnly && recursiveReadonly() {
			out.Options = append(out.Options, "rro")
		}
	}
	return out
}

// tmpfsOptions drops an option that a later one overrules, such as noexec before exec.
func tmpfsOptions(opts []string) []string {
	opposite := map[string]string{"exec": "noexec", "suid": "nosuid", "dev": "nodev", "rw": "ro"}
	var out []string
	for _, o := range opts {
		if no, ok := opposite[o]; ok {
			out = slices.DeleteFunc(out, func(x string) bool { return x == no })
		}
		if !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out
}
