package supervisor

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// unknownExit is the exit code of a process whose status nobody can tell any more.
const unknownExit = 255

// childInfo is siginfo_t as waitid(2) fills it for a child, on machines of 64 bits.
type childInfo struct {
	signo, errno, code, _ int32
	pid                   int32
	uid                   uint32
	status                int32
	_                     [100]byte
}

// cldExited is CLD_EXITED of sigaction(2): the status is an exit code. With any other code it is a signal.
const cldExited = 1

// waitChild waits for a child of ours and gives its exit code. The child stays a zombie until bury is called: of a
// supervisor that is killed before it has written the end down, the keeper inherits it with its status.
func waitChild(p *os.Process) (code int, bury func()) {
	bury = func() { _, _ = p.Wait() }
	var info childInfo
	for {
		err := unix.Waitid(unix.P_PID, p.Pid, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOWAIT, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return unknownExit, bury
		case info.code == cldExited:
			return int(info.status), bury
		default:
			return 128 + int(info.status), bury
		}
	}
}

// exitCode is docker's: 128+n for signal n.
func exitCode(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// waitStranger waits for a process that an earlier supervisor started. Its status comes from the kernel, or, where that
// does not keep it, from the keeper that has reaped the process. The pidfd stays open.
func waitStranger(pidfd *os.File, pid int, keeper func(pid int) (uint32, bool)) int {
	raw, err := pidfd.SyscallConn()
	if err != nil {
		return unknownExit
	}
	const patience = 30 * time.Second // a zombie tells its status only when its parent has reaped it, which on a busy machine takes its time
	raw.Read(func(fd uintptr) bool { return ended(int(fd)) })
	code := unknownExit
	raw.Control(func(fd uintptr) {
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if ws, ok := exitInfo(int(fd)); ok {
				code = exitCode(ws)
				return
			}
			if ws, ok := keeper(pid); ok {
				code = exitCode(syscall.WaitStatus(ws))
				return
			}
		}
	})
	return code
}

// ended tells whether the process of a pidfd has ended.
func ended(pidfd int) bool {
	p := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return err == nil && n == 1
}

// pidfdInfo is struct pidfd_info of linux/pidfd.h in its first version.
type pidfdInfo struct {
	mask, cgroup                                                uint64
	pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fu, fg uint32
	exit                                                        int32
}

// From linux/pidfd.h: PIDFD_GET_INFO is _IOWR(0xFF, 11, struct pidfd_info).
const (
	pidfdGetInfo  = 3<<30 | unsafe.Sizeof(pidfdInfo{})<<16 | 0xFF<<8 | 11
	pidfdInfoExit = 1 << 3
)

// exitInfo asks the kernel (6.15 and later) for the status of a process that has been reaped.
func exitInfo(pidfd int) (syscall.WaitStatus, bool) {
	info := pidfdInfo{mask: pidfdInfoExit}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(pidfd), pidfdGetInfo, uintptr(unsafe.Pointer(&info)))
	if errno != 0 || info.mask&pidfdInfoExit == 0 {
		return 0, false
	}
	return syscall.WaitStatus(info.exit), true
}

// openPidfd gives a descriptor of a process that can be waited for without a thread.
func openPidfd(pid int) (*os.File, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// pollable makes a received descriptor one that Go's runtime waits for.
func pollable(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	f.Close()
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "kept"), nil
}
