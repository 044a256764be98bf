//go:build linux

package archive

import (
	"fmt"
	"os"
	"time"

	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// Stat tells of a path in the root. Errors: NotFound.
func (r *Root) Stat(name string) (container.PathStat, error) {
	fd, base, err := r.locate(name)
	if err != nil {
		return container.PathStat{}, r.missing(name, err)
	}
	defer unix.Close(fd)
	return statOf(fd, base)
}

func statOf(fd int, base string) (container.PathStat, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return container.PathStat{}, fmt.Errorf("reading the state of %s: %w", base, err)
	}
	out := container.PathStat{Name: base, Size: st.Size, Mode: modeOf(st.Mode), Mtime: time.Unix(st.Mtim.Unix())}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		out.LinkTarget, _ = readLink(fd)
	}
	return out, nil
}

func readLink(fd int) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	return string(buf[:max(n, 0)]), err
}

// modeOf translates the kernel's mode.
func modeOf(m uint32) os.FileMode {
	out := os.FileMode(m & 0o777)
	switch m & unix.S_IFMT {
	case unix.S_IFDIR:
		out |= os.ModeDir
	case unix.S_IFLNK:
		out |= os.ModeSymlink
	case unix.S_IFCHR:
		out |= os.ModeDevice | os.ModeCharDevice
	case unix.S_IFBLK:
		out |= os.ModeDevice
	case unix.S_IFIFO:
		out |= os.ModeNamedPipe
	case unix.S_IFSOCK:
		out |= os.ModeSocket
	}
	for bit, mode := range map[uint32]os.FileMode{unix.S_ISUID: os.ModeSetuid, unix.S_ISGID: os.ModeSetgid, unix.S_ISVTX: os.ModeSticky} {
		if m&bit != 0 {
			out |= mode
		}
	}
	return out
}
