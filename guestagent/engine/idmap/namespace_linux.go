package idmap

import (
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

// Within calls do with the id of a process in a new user namespace of the mapping, and in what else of new namespaces
// flags names (CLONE_NEWNET …), which then belong to the user namespace. The process executes nothing: it is stopped
// before its first instruction and killed when do returns. A namespace lives on where do has kept it.
func Within(ids user.IdentityMapping, flags uintptr, do func(pid int) error) error {
	runtime.LockOSThread() // the process dies with the thread that made it
	defer runtime.UnlockOSThread()
	p, err := os.StartProcess("/proc/self/exe", []string{"idmap"}, &os.ProcAttr{Env: []string{}, Sys: &syscall.SysProcAttr{
		Ptrace: true, Pdeathsig: unix.SIGKILL, Cloneflags: unix.CLONE_NEWUSER | flags,
		UidMappings: extents(ids.UIDMaps), GidMappings: extents(ids.GIDMaps), GidMappingsEnableSetgroups: true,
	}})
	if err != nil {
		return fmt.Errorf("making a user namespace: %w", err)
	}
	defer func() {
		_ = p.Kill() // stopped as it is, it cannot have ended
		_, _ = p.Wait()
	}()
	return do(p.Pid)
}

func extents(list []user.IDMap) []syscall.SysProcIDMap {
	out := make([]syscall.SysProcIDMap, len(list))
	for i, m := range list {
		out[i] = syscall.SysProcIDMap{ContainerID: int(m.ID), HostID: int(m.ParentID), Size: int(m.Count)}
	}
	return out
}

// Namespace makes a user namespace of the mapping that lives as long as the file is open.
func Namespace(ids user.IdentityMapping) (ns *os.File, err error) {
	err = Within(ids, 0, func(pid int) (err error) {
		ns, err = os.Open(fmt.Sprintf("/proc/%d/ns/user", pid))
		return err
	})
	return ns, err
}
