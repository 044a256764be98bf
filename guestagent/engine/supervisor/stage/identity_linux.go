package stage

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"unsafe"

	"github.com/moby/sys/capability"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// identify becomes the process's user with the process's capabilities, this thread alone: package unix's own calls
// would change every thread through signals, which costs time and is not needed before an execve.
func identify(p *specs.Process) error {
	sets, err := capSets(p.Capabilities)
	if err != nil {
		return err
	}
	if err := dropBounding(sets.bounding); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return step("keeping capabilities", err)
	}
	gids := p.User.AdditionalGids
	var first unsafe.Pointer
	if len(gids) > 0 {
		first = unsafe.Pointer(&gids[0])
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(gids)), uintptr(first), 0); e != 0 {
		return step("setting groups", e)
	}
	uid, gid := uintptr(p.User.UID), uintptr(p.User.GID)
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid); e != 0 {
		return step("setting the group", e)
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid); e != 0 {
		return step("setting the user", e)
	}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 0, 0, 0, 0); err != nil {
		return step("keeping capabilities", err)
	}
	return sets.apply()
}

// capSet holds the capabilities of one thread as the kernel counts them.
type capSet struct{ bounding, effective, permitted, inheritable, ambient uint64 }

func capSets(c *specs.LinuxCapabilities) (s capSet, err error) {
	if c == nil {
		return s, nil
	}
	for _, part := range []struct {
		names []string
		to    *uint64
	}{
		{c.Bounding, &s.bounding}, {c.Effective, &s.effective}, {c.Permitted, &s.permitted},
		{c.Inheritable, &s.inheritable}, {c.Ambient, &s.ambient},
	} {
		for _, n := range part.names {
			bit, ok := capNumbers()[n]
			if !ok {
				return s, step("setting capabilities", fmt.Errorf("unknown capability %s", n))
			}
			*part.to |= 1 << bit
		}
	}
	return s, nil
}

// capNumbers is every known capability's number by its name.
var capNumbers = sync.OnceValue(func() map[string]uint {
	out := map[string]uint{}
	for _, c := range capability.ListKnown() {
		out["CAP_"+strings.ToUpper(c.String())] = uint(c)
	}
	return out
})

func dropBounding(keep uint64) error {
	for c := uint(0); c < 64; c++ {
		has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
		if err != nil {
			return nil // past the last one that this kernel knows
		}
		if has == 0 || keep&(1<<c) != 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil {
			return step("dropping capabilities", err)
		}
	}
	return nil
}

func (s capSet) apply() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{
		{Effective: uint32(s.effective), Permitted: uint32(s.permitted), Inheritable: uint32(s.inheritable)},
		{Effective: uint32(s.effective >> 32), Permitted: uint32(s.permitted >> 32), Inheritable: uint32(s.inheritable >> 32)},
	}
	if _, _, e := unix.RawSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&data[0])), 0); e != 0 {
		return step("setting capabilities", e)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return step("clearing ambient capabilities", err)
	}
	for c := uintptr(0); c < 64; c++ {
		if s.ambient&(1<<c) == 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, c, 0, 0); err != nil {
			return step("raising ambient capabilities", err)
		}
	}
	return nil
}

// lookPath finds the command as execvp does, in the container and with its user's rights.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		if err := executable(name); err != nil {
			what := fmt.Sprintf("exec: %q", name)
			if err != unix.EACCES && err != unix.EISDIR { // as Go's exec.LookPath says it, and so runc
				what += ": stat " + name
			}
			return "", &failed{what: what, err: err, exec: true}
		}
		return name, nil
	}
	search := ""
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			search = v
		}
	}
	denied := false
	for _, dir := range strings.Split(search, ":") {
		if !strings.HasPrefix(dir, "/") {
			continue
		}
		file := dir + "/" + name
		switch err := executable(file); err {
		case nil:
			return file, nil
		case unix.EACCES:
			denied = true
		}
	}
	if denied {
		return "", &failed{what: fmt.Sprintf("exec: %q", name), err: unix.EACCES, exec: true}
	}
	return "", &failed{what: fmt.Sprintf("exec: %q", name), err: notInPath{}, exec: true}
}

// notInPath reads as os/exec says it and is ENOENT to errors.Is.
type notInPath struct{}

func (notInPath) Error() string { return "executable file not found in $PATH" }
func (notInPath) Unwrap() error { return unix.ENOENT }

func executable(file string) error {
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return unix.EISDIR
	}
	if os.FileMode(st.Mode)&0o111 == 0 {
		return unix.EACCES
	}
	return unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS)
}

// rlimit gives the kernel's number of a limit's name (getrlimit(2)).
func rlimit(name string) (int, bool) {
	for i, n := range [...]string{
		"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING",
		"MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
	} {
		if name == "RLIMIT_"+n {
			return i, true
		}
	}
	return 0, false
}
