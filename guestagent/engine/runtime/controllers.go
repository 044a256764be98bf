//go:build linux

package runtime

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/blkiodev"
	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// cgroupRoot is where cgroups are mounted on every system.
const cgroupRoot = "/sys/fs/cgroup"

// Controllers are the controllers of cgroups that this machine has mounted and enabled, by their names in cgroup v2.
// WeightDevice is whether single devices can be given weights.
type Controllers struct{ Memory, CPU, CPUSet, Pids, IO, WeightDevice bool }

// machine is looked at once: controllers do not come and go while an engine runs.
var machine = sync.OnceValue(func() Controllers { return controllersIn(cgroupRoot) })

// MachineControllers are those of this machine.
func MachineControllers() Controllers { return machine() }

func controllersIn(root string) Controllers {
	has := func(v2, v1 string) bool {
		for _, dir := range []string{root, filepath.Join(root, "unified")} { // v2 alone, hybrid
			b, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
			if err == nil && slices.Contains(strings.Fields(string(b)), v2) {
				return true
			}
		}
		var st unix.Statfs_t
		return unix.Statfs(filepath.Join(root, v1), &st) == nil && st.Type == unix.CGROUP_SUPER_MAGIC
	}
	_, err := os.Stat(filepath.Join(root, "blkio", "blkio.weight_device"))
	_, unified := os.Stat(filepath.Join(root, "cgroup.controllers"))
	return Controllers{
		WeightDevice: err == nil || unified == nil && has("io", "blkio"),
		Memory:       has("memory", "memory"), CPU: has("cpu", "cpu"), CPUSet: has("cpuset", "cpuset"), Pids: has("pids", "pids"), IO: has("io", "blkio"),
	}
}

// Discard takes out of a request what needs a controller that is missing, and warns of each in docker's words. What a
// person would have to rely on is refused: Invalid.
func (c Controllers) Discard(r *container.Resources) (warnings []string, err error) {
	const discarded = "Your kernel does not support %s or the cgroup is not mounted. %s discarded."
	drop := func(missing, asked bool, what, how string, clear func()) {
		if missing && asked {
			warnings = append(warnings, strings.Replace(strings.Replace(discarded, "%s", what, 1), "%s", how, 1))
			clear()
		}
	}
	if !c.CPU && r.NanoCPUs > 0 {
		return nil, errdefs.Invalid("NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted")
	}
	drop(!c.Memory, r.Memory > 0, "memory limit capabilities", "Limitation", func() { r.Memory = 0 })
	drop(!c.Memory, r.MemoryReservation > 0, "memory soft limit capabilities", "Limitation", func() { r.MemoryReservation = 0 })
	drop(!c.Memory, r.MemorySwappiness != nil && *r.MemorySwappiness >= 0, "memory swappiness capabilities", "Memory swappiness", func() { r.MemorySwappiness = nil })
	drop(!c.Memory, r.OomKillDisable != nil && *r.OomKillDisable, "OomKillDisable", "OomKillDisable", func() { r.OomKillDisable = nil })
	if !c.Memory {
		r.MemorySwap = 0
	}
	drop(!c.Pids, r.PidsLimit != nil && *r.PidsLimit > 0, "PIDs limit capabilities", "PIDs limit", func() { r.PidsLimit = nil })
	drop(!c.CPU, r.CPUShares > 0, "CPU shares", "Shares", func() { r.CPUShares = 0 })
	drop(!c.CPU, r.CPUPeriod != 0 || r.CPUQuota != 0, "CPU CFS scheduler", "CPU period/quota", func() { r.CPUPeriod, r.CPUQuota = 0, 0 })
	drop(!c.CPUSet, r.CpusetCpus+r.CpusetMems != "", "cpuset", "Cpuset", func() { r.CpusetCpus, r.CpusetMems = "", "" })
	drop(!c.IO, r.BlkioWeight > 0, "Block I/O weight", "Weight", func() { r.BlkioWeight = 0 })
	drop(!c.WeightDevice, len(r.BlkioWeightDevice) > 0, "Block I/O weight_device", "Weight-device", func() { r.BlkioWeightDevice = []*blkiodev.WeightDevice{} })
	drop(!c.IO, len(r.BlkioDeviceReadBps)+len(r.BlkioDeviceWriteBps)+len(r.BlkioDeviceReadIOps)+len(r.BlkioDeviceWriteIOps) > 0, "Block I/O limits", "Limits", func() {
		r.BlkioDeviceReadBps, r.BlkioDeviceWriteBps, r.BlkioDeviceReadIOps, r.BlkioDeviceWriteIOps = nil, nil, nil, nil
	})
	return warnings, nil
}
