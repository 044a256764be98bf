package stage

import specs "github.com/opencontainers/runtime-spec/specs-go"

// Name is the program's name (argv[0]) that makes berth-init run Main.
const Name = "berth-stage"

// Prepare is the first message to a parked process.
type Prepare struct {
	// Join is set for another process of a running container: its first process's pidfd travels with the message, and
	// its namespaces are entered instead of made (the pid namespace by the parent, before it forked).
	Join bool
	// Tasks are files named "tasks" of cgroup v1 hierarchies. A thread that writes itself there needs none of the locks
	// under which a whole process is moved, and which hold up every fork and exit of the machine for milliseconds
	// (cgroup_procs_write_start in the kernel's kernel/cgroup/cgroup.c). The other threads end with execve.
	Tasks    []string
	Anchor   string        // a directory of the machine to attach the container's root to, in this process's mounts alone
	CgroupNS bool          // leave the cgroup namespace; cgroup mounts show the own cgroup as root in any case
	Mounts   []specs.Mount // kernel file systems to make ahead
}

// Spec is what of a container's OCI configuration concerns its first process. The whole would cost more to decode than
// the mounts cost to make.
type Spec struct {
	Process              *specs.Process
	ReadonlyRoot         bool
	Hostname, Domainname string
	Mounts               []specs.Mount
	Devices              []specs.LinuxDevice
	Sysctl               map[string]string
	ReadonlyPaths        []string
	MaskedPaths          []string
}

// NewSpec takes from a container's configuration what its first process needs, with p as its process.
func NewSpec(c *specs.Spec, p *specs.Process) *Spec {
	return &Spec{
		Process: p, ReadonlyRoot: c.Root != nil && c.Root.Readonly, Hostname: c.Hostname, Domainname: c.Domainname, Mounts: c.Mounts,
		Devices: c.Linux.Devices, Sysctl: c.Linux.Sysctl, ReadonlyPaths: c.Linux.ReadonlyPaths, MaskedPaths: c.Linux.MaskedPaths,
	}
}

// Plan is what the process is to become. Indices count the descriptors that travel with the message.
type Plan struct {
	ID      string
	Spec    *Spec
	Root    int         // a detached mount; unused with Prepare.Join
	NetNS   int         // -1: stay in the parent's
	Sources map[int]int // of the bind mounts in Spec.Mounts: index there to a detached mount
	Stdio   [3]int      // unused with a terminal
	Filter  []byte      // seccomp program (struct sock_filter, native order); empty for none
	Flags   uint        // of seccomp(2) for the filter
}

// Answer is what the process says. Exactly one of its fields is set.
type Answer struct {
	Ready   bool     `json:",omitempty"`
	Console bool     `json:",omitempty"` // the master travels with the message
	Failure *Failure `json:",omitempty"`
}

// Failure says why the command was not executed.
type Failure struct {
	Message string
	Errno   int  `json:",omitempty"`
	Exec    bool `json:",omitempty"` // the command itself could not be executed
}

// Error makes a *Failure an error.
func (f *Failure) Error() string { return f.Message }
