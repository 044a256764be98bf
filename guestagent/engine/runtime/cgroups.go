//go:build linux

package runtime

import (
	"os"
	"path"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"golang.org/x/sys/unix"
)

// The drivers: who makes the cgroups of containers.
const (
	Cgroupfs      = "cgroupfs" // the supervisor, in the cgroup file systems
	SystemdDriver = "systemd"  // systemd, as scopes
)

// Cgroups is where containers' cgroups are made, and by whom.
type Cgroups struct {
	Version string // "1" or "2"
	Driver  string
	Parent  string // of containers that ask for none; "" is the driver's own
}

// MachineCgroups are those of this machine with the driver that is wanted; "" is dockerd's choice: systemd where it has
// booted a machine with cgroup v2 alone. Errors: Invalid where systemd is wanted and does not run, or parent is not for
// the driver.
func MachineCgroups(driver, parent string) (Cgroups, error) {
	var st unix.Statfs_t
	unified := unix.Statfs("/sys/fs/cgroup", &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
	dir, err := os.Lstat("/run/systemd/system") // sd_booted(3)
	return chooseCgroups(driver, parent, unified, err == nil && dir.IsDir())
}

func chooseCgroups(driver, parent string, unified, booted bool) (Cgroups, error) {
	c := Cgroups{Version: "1", Driver: driver, Parent: parent}
	if unified {
		c.Version = "2"
	}
	switch {
	case driver == SystemdDriver && !booted:
		return c, errdefs.Invalid("native.cgroupdriver is systemd, and systemd does not run here").WithHint("Take it out of exec-opts in the configuration file.")
	case driver == "" && unified && booted:
		c.Driver = SystemdDriver
	case driver == "":
		c.Driver = Cgroupfs
	}
	return c, c.CheckParent(parent)
}

// Systemd tells that systemd makes the cgroups.
func (c Cgroups) Systemd() bool { return c.Driver == SystemdDriver }

// CheckParent refuses a parent that the driver cannot make, with docker's words.
func (c Cgroups) CheckParent(parent string) error {
	const suffix = ".slice"
	if c.Systemd() && parent != "" && (len(parent) <= len(suffix) || !strings.HasSuffix(parent, suffix)) {
		return errdefs.Invalid(`cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"`)
	}
	return nil
}

// Path is the cgroup of a container as the runtime specification names it: a path, or for systemd a slice, a prefix and
// a name, which become SLICE/berth-ID.scope.
func (c Cgroups) Path(parent, id string) string {
	if parent == "" {
		parent = c.Parent
	}
	if c.Systemd() {
		if parent == "" {
			parent = "system.slice"
		}
		return parent + ":berth:" + id
	}
	if parent == "" {
		parent = "berth"
	}
	return path.Join("/", parent, id)
}
