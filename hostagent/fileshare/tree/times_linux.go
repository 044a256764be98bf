package tree

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// FineTimes says whether a file that was looked at gets another time by its next change, however soon that comes: Linux
// 6.13 and later.
func FineTimes() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	var major, minor int
	n, _ := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	return n == 2 && (major > 6 || major == 6 && minor >= 13)
}
