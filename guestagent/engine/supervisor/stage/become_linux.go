package stage

import (
	"errors"
	"fmt"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// become gives up what the process does not need and executes its command. It returns only to say why it could not.
// The thread is the one that was locked in Main: identity and capabilities belong to a thread until execve ends the
// others. Order: what needs privileges, then the seccomp filter where it must be loaded with them, then identity, then
// the filter where no_new_privs allows it last (seccomp(2)).
func (a *assembly) become() error {
	p := a.spec.Process
	if err := a.adjust(p); err != nil {
		return err
	}
	if err := a.openStdio(p); err != nil {
		return err
	}
	// Before the filter, which may not know the call. Who may not enter as root (NFS) tries again as the user.
	cwd, err := openDir(p.Cwd)
	if err != nil && !errors.Is(err, unix.EACCES) {
		return err
	}
	if !p.NoNewPrivileges {
		if err := a.filter(); err != nil {
			return err
		}
	}
	if err := identify(p); err != nil {
		return err
	}
	if err := enterDir(cwd, p.Cwd); err != nil {
		return err
	}
	file, err := lookPath(p.Args[0], p.Env)
	if err != nil {
		return err
	}
	if p.NoNewPrivileges {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return step("setting no_new_privs", err)
		}
		if err := a.filter(); err != nil {
			return err
		}
	}
	err = unix.Exec(file, p.Args, p.Env)
	return &failed{what: fmt.Sprintf("exec %s", file), err: err, exec: true}
}

// adjust sets limits, the OOM score, the session and the keyring.
func (a *assembly) adjust(p *specs.Process) error {
	if p.OOMScoreAdj != nil {
		if err := a.setOOMScore(*p.OOMScoreAdj); err != nil {
			return step("setting the OOM score", err)
		}
	}
	for _, l := range p.Rlimits {
		r, ok := rlimit(l.Type)
		if !ok {
			return step("setting "+l.Type, unix.EINVAL)
		}
		if err := unix.Prlimit(0, r, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}, nil); err != nil {
			return step(fmt.Sprintf("error setting rlimit type %s", l.Type), err)
		}
	}
	if _, err := unix.Setsid(); err != nil && !errors.Is(err, unix.EPERM) {
		return step("starting a session", err)
	}
	umask := 0o022
	if p.User.Umask != nil {
		umask = int(*p.User.Umask)
	}
	unix.Umask(umask)
	// Keys of the machine's session must not be the container's; a kernel without keyrings has none to leak.
	if _, err := unix.KeyctlJoinSessionKeyring("_ses." + a.plan.ID); err != nil && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EDQUOT) {
		return step("joining a session keyring", err)
	}
	return nil
}

// openStdio puts the streams at 0, 1 and 2 and makes everything else close with execve (CVE-2024-21626).
func (a *assembly) openStdio(p *specs.Process) error {
	for i := range 3 {
		from := a.plan.Stdio[i]
		var fd int
		if p.Terminal {
			fd = int(a.console.Fd())
		} else {
			fd = a.fd(from)
		}
		if err := unix.Dup3(fd, i, 0); err != nil {
			return step("setting up the standard streams", err)
		}
		if !p.Terminal {
			unix.Fchown(i, int(p.User.UID), -1) // as runc does, so that /dev/stdout can be opened; pipes only
		}
	}
	if p.Terminal {
		if err := unix.IoctlSetInt(0, unix.TIOCSCTTY, 0); err != nil {
			return step("taking the terminal", err)
		}
		if err := unix.Fchown(0, int(p.User.UID), -1); err != nil && !errors.Is(err, unix.EROFS) {
			return step("owning the terminal", err)
		}
	}
	if err := unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return step("closing descriptors", err)
	}
	return nil
}

// filter loads the seccomp program into this thread, which is the one that execve keeps.
func (a *assembly) filter() error {
	const instruction = 8 // bytes of a struct sock_filter
	if len(a.plan.Filter) == 0 {
		return nil
	}
	prog := unix.SockFprog{
		Len:    uint16(len(a.plan.Filter) / instruction),
		Filter: (*unix.SockFilter)(unsafe.Pointer(&a.plan.Filter[0])),
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(a.plan.Flags), uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return step("loading the seccomp filter", errno)
	}
	return nil
}

// openDir opens the working directory; -1 is none. A link of /proc that stands for an open descriptor is not followed:
// it could lead out of the root (CVE-2024-21626).
func openDir(cwd string) (int, error) {
	if cwd == "" {
		return -1, nil
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, cwd, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS,
	})
	return fd, step(chdir(cwd), err)
}

func chdir(cwd string) string { return fmt.Sprintf("chdir to cwd (%q) set in config.json failed", cwd) }

// enterDir changes to the working directory as the user who will run there. fd is the directory, or -1.
func enterDir(fd int, cwd string) (err error) {
	if cwd == "" {
		return nil
	}
	if fd < 0 {
		if fd, err = openDir(cwd); err != nil {
			return err
		}
	}
	defer unix.Close(fd)
	if err := unix.Fchdir(fd); err != nil {
		return step(chdir(cwd), err)
	}
	var buf [unix.PathMax]byte
	if _, err := unix.Getcwd(buf[:]); err != nil || buf[0] != '/' { // "(unreachable)…" outside of the root
		return step("current working directory is outside of container mount namespace root -- possible container breakout detected", unix.EPERM)
	}
	return nil
}
