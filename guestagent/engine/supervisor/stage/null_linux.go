package stage

import (
	"errors"

	"golang.org/x/sys/unix"
)

// openNull takes the machine's /dev/null as a detached mount, and makes sure that it is the device it says.
func openNull() (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, "/dev/null", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3) {
		return -1, errors.New("not the null device")
	}
	return fd, nil
}
