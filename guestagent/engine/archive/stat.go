//go:build linux

package archive

import (
	"fmt"
	"os"
	"path"
	"strings"
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
	return r.statOf(fd, base, name)
}

// statOf tells of what was found at name.
func (r *Root) statOf(fd int, base, name string) (container.PathStat, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return container.PathStat{}, fmt.Errorf("reading the state of %s: %w", base, err)
	}
	out := container.PathStat{Name: base, Size: st.Size, Mode: modeOf(st.Mode), Mtime: time.Unix(st.Mtim.Unix())}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		out.LinkTarget = r.evaluate(name)
	}
	return out, nil
}

// mostLinks is how many links one path may lead through, as in the kernel.
const mostLinks = 40

// evaluate is where a path leads inside the root, links in it and at its end followed; what is missing stands as it is
// written. docker tells clients this of a link, and they go on there.
func (r *Root) evaluate(name string) string {
	at, rest := "/", strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		next := path.Join(at, rest[0]) // of "..": at has no links in it any more
		rest = rest[1:]
		target := ""
		if links < mostLinks {
			target = r.linkAt(next)
		}
		if target == "" {
			at = next
			continue
		}
		links++
		if path.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at
}

// linkAt reads a link, "" where there is none.
func (r *Root) linkAt(name string) string {
	fd, err := r.open(name, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	target, err := readLink(fd)
	if err != nil {
		return "" // no link
	}
	return target
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
