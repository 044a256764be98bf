//go:build linux

package runtime

import (
	"fmt"
	"path"

	"github.com/berthhq/berth/internal/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// NewSpec makes the OCI runtime specification of a container. It reads nothing of the container's own files: the user
// is resolved by the supervisor, where the root is mounted. It creates nothing, and the same input gives the same
// specification. Errors are of kind Invalid where the
// configuration asks for what cannot be.
func NewSpec(in Input) (*specs.Spec, error) {
	s := &specs.Spec{
		Version:  "1.2.0",
		Root:     &specs.Root{Path: "rootfs", Readonly: in.Host.ReadonlyRootfs},
		Hostname: in.Hostname,
		Linux: &specs.Linux{
			CgroupsPath: in.CgroupPath,
			Sysctl:      sysctls(in),
		},
		Annotations: in.Host.Annotations,
	}
	if in.Host.UTSMode.IsHost() || in.UtsNS != "" {
		s.Hostname = ""
	} else {
		s.Domainname = in.Domainname
	}
	s.Linux.Namespaces = namespaces(in)
	p, err := process(in)
	if err != nil {
		return nil, err
	}
	s.Process = p
	for _, step := range []func(*specs.Spec, Input) error{
		setMounts, setMapping, setDevices, setResources, setPaths, setSeccomp, setLabels, setDeviceRequests,
	} {
		if err := step(s, in); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func process(in Input) (*specs.Process, error) {
	caps, err := capabilities(in.Host.Privileged, in.Host.CapAdd, in.Host.CapDrop)
	if err != nil {
		return nil, err
	}
	cwd := in.Config.WorkingDir
	if cwd == "" {
		cwd = "/"
	}
	if !path.IsAbs(cwd) {
		return nil, errdefs.Invalid("the working directory '%s' is invalid, it needs to be an absolute path", cwd)
	}
	p := &specs.Process{
		Args:         in.Args,
		Cwd:          path.Clean(cwd),
		Env:          environment(in),
		Terminal:     in.Streams.Terminal,
		Capabilities: bounded(caps),
		Rlimits:      rlimits(in),
	}
	if in.Streams.Terminal && in.Streams.Height > 0 && in.Streams.Width > 0 {
		p.ConsoleSize = &specs.Box{Height: uint(in.Streams.Height), Width: uint(in.Streams.Width)}
	}
	if in.Host.Umask != nil {
		p.User.Umask = in.Host.Umask
	}
	opts, err := parseSecurityOpts(in.Host.SecurityOpt)
	if err != nil {
		return nil, err
	}
	p.NoNewPrivileges = opts.noNewPrivileges
	adj := in.Host.OomScoreAdj // named even where it is 0: the supervisor's own may be another, and is inherited
	p.OOMScoreAdj = &adj
	return p, nil
}

func namespaces(in Input) []specs.LinuxNamespace {
	ns := []specs.LinuxNamespace{{Type: specs.MountNamespace}}
	add := func(t specs.LinuxNamespaceType, host bool, path string) {
		if path != "" || !host {
			ns = append(ns, specs.LinuxNamespace{Type: t, Path: path})
		}
	}
	add(specs.NetworkNamespace, in.NetNS == "", in.NetNS)
	add(specs.UTSNamespace, in.Host.UTSMode.IsHost(), in.UtsNS)
	add(specs.PIDNamespace, in.Host.PidMode.IsHost(), in.PidNS)
	add(specs.IPCNamespace, in.Host.IpcMode.IsHost(), in.IpcNS)
	if in.Host.CgroupnsMode.IsPrivate() {
		ns = append(ns, specs.LinuxNamespace{Type: specs.CgroupNamespace})
	}
	return ns
}

func rlimits(in Input) (out []specs.POSIXRlimit) {
	for _, u := range in.Host.Ulimits {
		if u != nil {
			out = append(out, specs.POSIXRlimit{Type: rlimitName(u.Name), Soft: uint64(u.Soft), Hard: uint64(u.Hard)})
		}
	}
	return out
}

// sysctls are docker's: an unprivileged process may bind low ports and send pings, since the namespace is its own.
func sysctls(in Input) map[string]string {
	out := map[string]string{}
	if in.NetNS != "" {
		out["net.ipv4.ip_unprivileged_port_start"] = "0"
		out["net.ipv4.ping_group_range"] = fmt.Sprintf("0 %d", lastGroup(in.IDs))
	}
	for k, v := range in.Host.Sysctls {
		out[k] = v
	}
	return out
}
