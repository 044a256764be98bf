//go:build linux

package meta

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"golang.org/x/sys/unix"
)

// takeLock locks the state directory as long as the file is open, and writes our pid into it. The kernel lets go of a
// lock whose holder died, so there is no stale one.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, errdefs.System("locking the state directory: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		defer f.Close()
		pid, _ := io.ReadAll(io.LimitReader(f, 32))
		return nil, errdefs.Conflict("an engine serves %s already (pid %s)", path, strings.TrimSpace(string(pid))).
			WithHint("stop it, or set BERTH_ROOT to another state directory")
	}
	if err == nil {
		err = writePid(f)
	}
	if err != nil {
		f.Close()
		return nil, errdefs.System("locking %s: %w", path, err)
	}
	return f, nil
}

func writePid(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
