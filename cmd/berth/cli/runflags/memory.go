package runflags

import (
	"fmt"

	"github.com/docker/cli/opts"
	"github.com/spf13/pflag"
)

// memoryFlags limit memory.
type memoryFlags struct {
	limit, reservation, shm opts.MemBytes
	swap                    opts.MemSwapBytes
	swappiness              int64
	noOOMKill               bool
	oomScore                int
	kernel                  opts.MemBytes // taken and ignored, as docker does
}

func (m *memoryFlags) add(fs *pflag.FlagSet) {
	fs.VarP(&m.limit, "memory", "m", "Memory limit")
	fs.Var(&m.reservation, "memory-reservation", "Memory soft limit")
	fs.Var(&m.swap, "memory-swap", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap")
	fs.Int64Var(&m.swappiness, "memory-swappiness", -1, "Tune container memory swappiness (0 to 100)")
	fs.BoolVar(&m.noOOMKill, "oom-kill-disable", false, "Disable OOM Killer")
	fs.IntVar(&m.oomScore, "oom-score-adj", 0, "Tune host's OOM preferences (-1000 to 1000)")
	fs.Var(&m.shm, "shm-size", "Size of /dev/shm")
	fs.Var(&m.kernel, "kernel-memory", "Kernel memory limit (deprecated)")
	fs.Lookup("kernel-memory").Deprecated = "and no longer supported by the kernel"
}

func (m *memoryFlags) apply(_ *pflag.FlagSet, spec *Spec) error {
	if m.swappiness != -1 && (m.swappiness < 0 || m.swappiness > 100) {
		return fmt.Errorf("invalid value: %d. Valid memory swappiness range is 0-100", m.swappiness)
	}
	h := spec.HostConfig
	h.Memory, h.MemoryReservation, h.MemorySwap = m.limit.Value(), m.reservation.Value(), m.swap.Value()
	h.MemorySwappiness, h.OomKillDisable = &m.swappiness, &m.noOOMKill
	h.OomScoreAdj, h.ShmSize = m.oomScore, m.shm.Value()
	return nil
}
