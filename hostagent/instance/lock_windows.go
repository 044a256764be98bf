package instance

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// lockAt is the byte that is locked: far behind the pid, which others may read.
const lockAt = 1 << 20

// lockFile takes the lock that goes with the process.
func lockFile(f *os.File) error {
	at := &windows.Overlapped{Offset: lockAt}
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
}

func allocated(info fs.FileInfo) int64 { return info.Size() }
