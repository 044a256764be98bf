package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Exec runs a program of the image to its end and gives what it printed and its exit code.
type Exec func(ctx context.Context, argv ...string) (output string, code int, err error)

// The programs, and how long each may take. A check of a large disk under emulation takes minutes.
const (
	mke2fs      = "/usr/sbin/mke2fs"
	e2fsck      = "/usr/sbin/e2fsck"
	formatBound = 5 * time.Minute
	checkBound  = 30 * time.Minute
)

// List looks at every disk of the machine.
func List() ([]Candidate, error) {
	entries, err := os.ReadDir("/sys/block")
	if err != nil {
		return nil, err
	}
	var out []Candidate
	for _, e := range entries {
		if virtual(e.Name()) {
			continue
		}
		c, err := look(e.Name())
		if err != nil {
			return out, fmt.Errorf("disk %s: %w", e.Name(), err)
		}
		if c.Size > 0 {
			out = append(out, c)
		}
	}
	return out, nil
}

// virtual are block devices without anything behind them.
func virtual(name string) bool {
	for _, p := range []string{"loop", "ram", "zram", "sr", "fd", "nbd", "dm-", "md"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

func look(name string) (Candidate, error) {
	c := Candidate{Path: "/dev/" + name}
	sys := filepath.Join("/sys/block", name)
	sectors, err := number(filepath.Join(sys, "size"))
	if err != nil {
		return c, err
	}
	ro, err := number(filepath.Join(sys, "ro"))
	if err != nil {
		return c, err
	}
	c.Size, c.ReadOnly = sectors*512, ro != 0
	if c.Size == 0 {
		return c, nil
	}
	f, err := os.Open(c.Path)
	if err != nil {
		return c, err
	}
	defer f.Close()
	c.Found, err = Look(f, c.Size)
	return c, err
}

func number(path string) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}

// Prepare does what Decide said. done says what was done to the file system, empty where nothing was.
func Prepare(ctx context.Context, exec Exec, c Candidate, a Action) (done string, err error) {
	switch a {
	case Format:
		return "", format(ctx, exec, c)
	case Check:
		return check(ctx, exec, c.Path)
	case Repair:
		return check(ctx, exec, c.Path, "-b", strconv.FormatInt(c.Spare, 10), "-B", strconv.Itoa(blockSize))
	}
	return "", nil
}

// format makes the file system. The disk is new and reads as zeros, so the inode tables are not written: the host's file
// stays sparse.
func format(ctx context.Context, exec Exec, c Candidate) error {
	ctx, cancel := context.WithTimeout(ctx, formatBound)
	defer cancel()
	out, code, err := exec(ctx, mke2fs, "-q", "-F", "-t", "ext4", "-b", strconv.Itoa(blockSize), "-L", Label, "-m", "0",
		"-E", "lazy_itable_init=1,lazy_journal_init=1,assume_storage_prezeroed=1,nodiscard", "-O", "metadata_csum,64bit", c.Path)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d: %s", code, last(out))
	}
	if err != nil {
		return fmt.Errorf("formatting %s: %w", c.Path, err)
	}
	return nil
}

// check repairs what can be repaired without loss, and where that is not all, everything.
func check(ctx context.Context, exec Exec, path string, more ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, checkBound)
	defer cancel()
	const (
		corrected   = 1 | 2
		uncorrected = 4
	)
	mode := "-p"
	if len(more) > 0 {
		mode = "-y" // another superblock is used only where the first is gone
	}
	out, code, err := exec(ctx, append([]string{e2fsck, mode, "-f", path}, more...)...)
	if err == nil && code&^corrected == uncorrected && mode == "-p" {
		out, code, err = exec(ctx, e2fsck, "-y", "-f", path)
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("checking %s: %w", path, err)
	case code&^corrected != 0:
		return "", fmt.Errorf("checking %s: e2fsck ended with %d: %s", path, code, last(out))
	}
	return last(out), nil
}

// last is the last line that says something.
func last(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// MountAt mounts the disk. Blocks that are freed are discarded as the journal commits, so the host's file shrinks.
func MountAt(path, target string) error {
	if err := os.MkdirAll(target, 0o711); err != nil {
		return err
	}
	if err := unix.Mount(path, target, "ext4", 0, "discard,errors=remount-ro"); err != nil {
		return fmt.Errorf("mounting %s: %w", path, err)
	}
	return nil
}

// The ioctls of ext4 and of every file system that can trim.
const (
	ioctlResize = 0x40086610 // EXT4_IOC_RESIZE_FS: the size in blocks
	ioctlTrim   = 0xc0185879 // FITRIM
)

// Grow makes the mounted file system as large as its device; grown tells whether it was smaller.
func Grow(device, target string) (grown bool, err error) {
	size, err := number(filepath.Join("/sys/block", filepath.Base(device), "size"))
	if err != nil {
		return false, err
	}
	dir, err := os.Open(target)
	if err != nil {
		return false, err
	}
	defer dir.Close()
	want := uint64(size * 512 / blockSize)
	have, err := blocks(device)
	if err != nil || have >= want {
		return false, err
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, dir.Fd(), ioctlResize, uintptr(unsafe.Pointer(&want))); errno != 0 {
		return false, fmt.Errorf("growing %s to %d blocks: %w", device, want, errno)
	}
	// A last group that is too small for its own tables is left off, so what the superblock says now is the answer.
	now, err := blocks(device)
	return now > have, err
}

// blocks is how many blocks the superblock on the device counts.
func blocks(device string) (uint64, error) {
	f, err := os.Open(device)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	b := make([]byte, superSize)
	if _, err := f.ReadAt(b, superOffset); err != nil {
		return 0, err
	}
	return count(b), nil
}

// Trim discards all free blocks of the mounted file system.
func Trim(target string) (uint64, error) {
	dir, err := os.Open(target)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	r := struct{ start, length, minimum uint64 }{length: ^uint64(0)}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, dir.Fd(), ioctlTrim, uintptr(unsafe.Pointer(&r))); errno != 0 {
		return 0, fmt.Errorf("trimming %s: %w", target, errno)
	}
	return r.length, nil
}

// Space is the mounted file system's size and what is free of it.
func Space(target string) (capacity, free uint64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(target, &st); err != nil {
		return 0, 0, err
	}
	return st.Blocks * uint64(st.Bsize), st.Bavail * uint64(st.Bsize), nil
}

// Unmount takes the file system off, or where it is held makes it read-only, so that what is on it is whole.
func Unmount(target string) error {
	unix.Sync()
	for range 20 {
		err := unix.Unmount(target, 0)
		if err == nil || errors.Is(err, unix.EINVAL) { // EINVAL: it is not mounted
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("unmounting %s, which is in use, nor could it be made read-only: %w", target, err)
	}
	return nil
}

// Size is how large the device is now.
func Size(device string) (int64, error) {
	sectors, err := number(filepath.Join("/sys/block", filepath.Base(device), "size"))
	return sectors * 512, err
}
