package guestagent

import (
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/berthhq/berth/guestagent/disk"
	"github.com/berthhq/berth/internal/agentapi"
	"github.com/berthhq/berth/internal/paths"
	"golang.org/x/sys/unix"
)

// How long a shutdown waits: for the engine, which stops its containers, where the host names no time; for every other
// process after SIGTERM.
const (
	engineGrace = 60 * time.Second
	otherGrace  = 3 * time.Second
)

// end takes the machine down. Every step is done whatever became of the one before.
func (a *agent) end(how shutdown) error {
	if how.grace <= 0 {
		how.grace = engineGrace
	}
	complain(os.WriteFile(paths.ShutdownMark, nil, 0o600))
	for i := len(a.children) - 1; i >= 0; i-- {
		a.step("stopping " + a.children[i].name)
		a.children[i].stop(how.grace)
	}
	a.step("ending what is left")
	endAll(otherGrace)
	a.step("unmounting the data disk")
	if a.device != "" {
		complain(disk.Unmount(a.layout.Root))
	}
	unix.Sync()
	cmd := unix.LINUX_REBOOT_CMD_POWER_OFF
	if how.reboot {
		cmd = unix.LINUX_REBOOT_CMD_RESTART
	}
	a.step("power")
	time.Sleep(20 * time.Millisecond) // for the host to hear of it
	return unix.Reboot(cmd)
}

func (a *agent) step(what string) {
	a.tell(agentapi.Event{Kind: agentapi.EventShutdown, Message: what})
}

// endAll ends every process but this one.
func endAll(grace time.Duration) {
	_ = unix.Kill(-1, unix.SIGTERM)
	for end := time.Now().Add(grace); time.Now().Before(end) && others(); {
		time.Sleep(10 * time.Millisecond)
	}
	_ = unix.Kill(-1, unix.SIGKILL)
	for end := time.Now().Add(grace); time.Now().Before(end) && others(); {
		time.Sleep(5 * time.Millisecond)
	}
}

// others tells whether there is a process with a program besides this one; the kernel's own threads have none.
func others() bool {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return false
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == 1 {
			continue
		}
		if _, err := os.Readlink("/proc/" + e.Name() + "/exe"); err == nil || errors.Is(err, unix.EACCES) {
			return true
		}
	}
	return false
}
