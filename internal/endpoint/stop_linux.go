package endpoint

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"golang.org/x/sys/unix"
)

// FindEngine gives the path of the engine's program: beside this one or where it is installed.
func FindEngine() (string, error) { return findEngine() }

// StopEngine ends the engine that serves a state directory, if one does, and waits for its end. Containers go on.
func StopEngine(ctx context.Context, l paths.Layout, patience time.Duration) error {
	pid := enginePid(l)
	if pid == 0 {
		return nil
	}
	if err := unix.Kill(pid, unix.SIGTERM); err != nil {
		return nil // it has ended just now
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if enginePid(l) != pid {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return errdefs.System("the engine (pid %d) does not end", pid)
}

// enginePid is the process that holds the state directory, 0 for none. The pid in the file may mean another process by
// now, so its name counts too.
func enginePid(l paths.Layout) int {
	b, err := os.ReadFile(l.EngineLock())
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 1 {
		return 0
	}
	exe, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	if err != nil || strings.TrimSuffix(filepath.Base(exe), " (deleted)") != engineProgram {
		return 0
	}
	return pid
}
