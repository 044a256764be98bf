//go:build linux

package runtime

import (
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// appArmorEnabled says whether this kernel confines by AppArmor profiles.
var appArmorEnabled = sync.OnceValue(func() bool {
	b, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	return err == nil && strings.HasPrefix(string(b), "Y")
})

// recursiveReadonly says whether mount_setattr(2) with AT_RECURSIVE exists (Linux 5.12), so that a read-only bind is
// read-only in what is mounted below it too.
var recursiveReadonly = sync.OnceValue(func() bool {
	return unix.MountSetattr(-1, "", unix.AT_EMPTY_PATH, &unix.MountAttr{}) != unix.ENOSYS
})
