package runflags

import (
	"errors"

	"github.com/docker/cli/opts"
	"github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// namespaceFlags choose namespaces and what is set inside them.
type namespaceFlags struct {
	pid, ipc, uts, userns, cgroupns string
	cgroupParent, isolation         string
	sysctls                         *opts.MapOpts
}

func (n *namespaceFlags) add(fs *pflag.FlagSet) {
	n.sysctls = opts.NewMapOpts(nil, opts.ValidateSysctl)
	fs.StringVar(&n.pid, "pid", "", "PID namespace to use")
	fs.StringVar(&n.ipc, "ipc", "", "IPC mode to use")
	fs.StringVar(&n.uts, "uts", "", "UTS namespace to use")
	fs.StringVar(&n.userns, "userns", "", "User namespace to use")
	fs.StringVar(&n.cgroupns, "cgroupns", "", "Cgroup namespace to use (host|private)")
	fs.StringVar(&n.cgroupParent, "cgroup-parent", "", "Optional parent cgroup for the container")
	fs.StringVar(&n.isolation, "isolation", "", "Container isolation technology")
	fs.Var(n.sysctls, "sysctl", "Sysctl options")
}

func (n *namespaceFlags) apply(_ *pflag.FlagSet, spec *Spec) error {
	h := spec.HostConfig
	h.PidMode, h.UTSMode = container.PidMode(n.pid), container.UTSMode(n.uts)
	h.UsernsMode, h.CgroupnsMode = container.UsernsMode(n.userns), container.CgroupnsMode(n.cgroupns)
	h.IpcMode, h.CgroupParent = container.IpcMode(n.ipc), n.cgroupParent
	h.Isolation, h.Sysctls = container.Isolation(n.isolation), n.sysctls.GetAll()
	switch {
	case !h.PidMode.Valid():
		return errors.New("--pid: invalid PID mode")
	case !h.UTSMode.Valid():
		return errors.New("--uts: invalid UTS mode")
	case !h.UsernsMode.Valid():
		return errors.New("--userns: invalid USER mode")
	case !h.CgroupnsMode.Valid():
		return errors.New("--cgroupns: invalid CGROUP mode")
	}
	return nil
}
