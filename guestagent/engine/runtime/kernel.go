//go:build linux

package runtime

import (
	"os"
	"strings"
	"sync"
)

// appArmorEnabled says whether this kernel confines by AppArmor profiles.
var appArmorEnabled = sync.OnceValue(func() bool {
	b, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	return err == nil && strings.HasPrefix(string(b), "Y")
})

// unifiedCgroups says whether cgroup v2 alone is mounted at /sys/fs/cgroup.
var unifiedCgroups = sync.OnceValue(func() bool {
	_, err := os.Stat("/sys/fs/cgroup/cgroup.controllers")
	return err == nil
})
