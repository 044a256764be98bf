//go:build unix

package hostagent

import "golang.org/x/sys/unix"

// hostKernel is the host's kernel: under another one, what did not work may.
func hostKernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Version[:])
}
