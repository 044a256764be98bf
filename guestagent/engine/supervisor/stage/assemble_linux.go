package stage

import (
	"fmt"
	"os"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/engine/inroot"
)

// assembly is the building of one container's world out of its plan.
type assembly struct {
	plan    *Plan
	spec    *Spec
	files   []*os.File
	ahead   prepared
	anchor  string
	control *proto.Conn

	root    int // descriptor of the root mount
	proc    int // of our own procfs, -1 without one
	null    int // of the machine's /dev/null, taken before anything of the container was touched
	console *os.File
	guest   bool // another process of a container that stands
}

func (a *assembly) fd(i int) int { return int(a.files[i].Fd()) }

// build makes the root and makes it ours. After it, paths are the container's.
func (a *assembly) build() (err error) {
	a.root, a.proc = a.fd(a.plan.Root), -1
	if a.null, err = openNull(); err != nil {
		return step("opening /dev/null", err)
	}
	for _, s := range []struct {
		what string
		do   func() error
	}{
		{"entering the network namespace", a.enterNetwork},
		{"naming the host", a.nameHost},
		{"attaching the root", a.attachRoot},
		{"", a.mountAll},
		{"making the working directory", a.makeCwd},
		{"", a.makeDevices},
		{"", a.openConsole},
		{"", a.setSysctls},
		{"", a.protectPaths},
		{"making the root read-only", a.freezeRoot},
		{"changing the root", a.pivot},
	} {
		if err := s.do(); err != nil {
			if s.what != "" {
				err = step(s.what, err)
			}
			return err
		}
	}
	return nil
}

func (a *assembly) enterNetwork() error {
	if a.plan.NetNS < 0 {
		return nil
	}
	return unix.Setns(a.fd(a.plan.NetNS), unix.CLONE_NEWNET)
}

func (a *assembly) nameHost() error {
	if a.spec.Hostname != "" {
		if err := unix.Sethostname([]byte(a.spec.Hostname)); err != nil {
			return err
		}
	}
	if a.spec.Domainname != "" {
		return unix.Setdomainname([]byte(a.spec.Domainname))
	}
	return nil
}

func (a *assembly) attachRoot() error {
	return unix.MoveMount(a.root, "", unix.AT_FDCWD, a.anchor, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

func (a *assembly) mountAll() error {
	for i := range a.spec.Mounts {
		m := &a.spec.Mounts[i]
		if err := a.mountOne(i, m); err != nil {
			return step(fmt.Sprintf("error mounting %q to rootfs at %q", m.Source, m.Destination), err)
		}
	}
	return nil
}

// makeCwd makes the working directory where it is missing, as runc does.
func (a *assembly) makeCwd() error {
	cwd := a.spec.Process.Cwd
	if cwd == "" || cwd == "/" {
		return nil
	}
	fd, err := inroot.OpenOrMake(a.root, cwd, true)
	if err != nil {
		return nil // why it cannot be entered is told when that is tried, in the words for it
	}
	return unix.Close(fd)
}

func (a *assembly) mountOne(i int, m *specs.Mount) (err error) {
	fd, ok := a.ahead.take(m)
	switch {
	case ok:
	case m.Type == "bind":
		if fd, err = a.bindSource(i, m); err != nil {
			return err
		}
	default:
		if fd, err = makeAny(m); err != nil {
			return err
		}
		if m.Destination == "/dev" {
			if err := populateDev(fd); err != nil {
				return err
			}
		}
	}
	target, err := a.target(m, fd)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	if err := unix.MoveMount(fd, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return err
	}
	if m.Type == "proc" {
		a.proc = fd
	}
	return nil
}

func (a *assembly) bindSource(i int, m *specs.Mount) (int, error) {
	at, ok := a.plan.Sources[i]
	if !ok {
		return -1, unix.ENOENT
	}
	fd := a.fd(at)
	return fd, setAttrs(fd, m)
}

// target opens the place of a mount within the root, making it where it is missing: a directory, or a file where the
// source is one.
func (a *assembly) target(m *specs.Mount, source int) (int, error) {
	var st unix.Stat_t
	if err := unix.Fstat(source, &st); err != nil {
		return -1, err
	}
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	fd, err := inroot.OpenOrMake(a.root, m.Destination, isDir)
	if err != nil {
		return -1, err
	}
	if m.Type == "proc" || m.Type == "sysfs" {
		// A link here would put the kernel's files, and all that guards them, in another place (CVE-2019-19921).
		unix.Close(fd)
		fd, err = inroot.Open(a.root, m.Destination, unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS)
		if err != nil {
			return -1, fmt.Errorf("filesystem %q must be mounted on ordinary directory: %w", m.Type, err)
		}
	}
	if err := a.guardProc(m, fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// coverable are the files of /proc that a mount may stand over, as lxcfs does.
var coverable = [...]string{"cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo", "sys/kernel/ns_last_pid", "sys/crypto/fips_enabled"}

// guardProc refuses a mount inside our /proc: it could be made to stand over what the confinement writes to or reads
// (CVE-2019-16884), whatever links of the image led there.
func (a *assembly) guardProc(m *specs.Mount, target int) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(target, &st); err != nil {
		return err
	}
	if st.Type != unix.PROC_SUPER_MAGIC || a.proc < 0 {
		return nil
	}
	for _, ok := range coverable {
		if m.Destination == "/proc/"+ok {
			return nil
		}
	}
	return fmt.Errorf("%q cannot be mounted because it is inside /proc", strings.TrimSpace(m.Destination))
}

func (a *assembly) freezeRoot() error {
	if !a.spec.ReadonlyRoot {
		return nil
	}
	return unix.MountSetattr(a.root, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}

// pivot makes the root ours: the old one ends up under the new and is let go with all that it holds (pivot_root(2)).
func (a *assembly) pivot() error {
	if err := unix.Fchdir(a.root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return err
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return err
	}
	return unix.Chdir("/")
}
