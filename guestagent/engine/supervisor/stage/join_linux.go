package stage

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// join enters the namespaces of a running container's first process. Which of them differ from ours is the kernel's to
// know: entering one that we are in already is allowed.
func join(files []*os.File) error {
	if len(files) != 1 {
		return step("joining the container", errors.New("no process to join"))
	}
	defer files[0].Close()
	const all = unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWCGROUP
	return step("joining the container", unix.Setns(int(files[0].Fd()), all))
}

// visit is build for a process that joined: the world stands already, and may be hostile.
func (a *assembly) visit() (err error) {
	a.guest, a.proc = true, -1
	if a.root, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return step("opening the root", err)
	}
	return a.openConsole()
}

// setOOMScore sets our own OOM score. One that joined has the container's /proc alone to do it by: where that does not
// do, the score stays as it came from the supervisor.
func (a *assembly) setOOMScore(score int) error {
	if a.guest {
		proc, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil
		}
		defer unix.Close(proc)
		var st unix.Statfs_t
		if err := unix.Fstatfs(proc, &st); err != nil || st.Type != unix.PROC_SUPER_MAGIC {
			return nil
		}
		a.proc = proc
		defer func() { a.proc = -1 }()
	}
	err := a.writeProc(strconv.Itoa(os.Getpid())+"/oom_score_adj", strconv.Itoa(score))
	if a.guest {
		return nil
	}
	return err
}
