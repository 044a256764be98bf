//go:build linux

package runtime

import (
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// appArmorEnabled says whether this kernel confines by AppArmor profiles.
var appArmorEnabled = sync.OnceValue(func() bool {
	b, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	return err == nil && strings.HasPrefix(string(b), "Y")
})

// appArmorLoadable says whether a profile can be put into the kernel. Without apparmor_parser, or with an engine that
// itself runs in a container, containers go without the default profile, as dockerd's do.
var appArmorLoadable = sync.OnceValue(func() bool { return loadable("/", os.Getenv) })

func loadable(root string, env func(string) string) bool {
	if env("container") != "" {
		return false
	}
	for _, f := range []string{"sys/kernel/security/apparmor", "sbin/apparmor_parser"} {
		if _, err := os.Stat(filepath.Join(root, f)); err != nil {
			return false
		}
	}
	return true
}

// recursiveReadonly says whether mount_setattr(2) with AT_RECURSIVE exists (Linux 5.12), so that a read-only bind is
// read-only in what is mounted below it too.
var recursiveReadonly = sync.OnceValue(func() bool {
	return unix.MountSetattr(-1, "", unix.AT_EMPTY_PATH, &unix.MountAttr{}) != unix.ENOSYS
})
