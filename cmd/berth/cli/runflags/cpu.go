package runflags

import (
	"github.com/docker/cli/opts"
	"github.com/spf13/pflag"
)

// cpuFlags limit processors and processes.
type cpuFlags struct {
	cpus                             opts.NanoCPUs
	count, percent, shares           int64
	period, quota, rtPeriod, rtQuota int64
	set, mems                        string
	pids                             int64
	ulimits                          *opts.UlimitOpt
}

func (c *cpuFlags) add(fs *pflag.FlagSet) {
	c.ulimits = opts.NewUlimitOpt(nil)
	fs.Var(&c.cpus, "cpus", "Number of CPUs")
	fs.StringVar(&c.set, "cpuset-cpus", "", "CPUs in which to allow execution (0-3, 0,1)")
	fs.StringVar(&c.mems, "cpuset-mems", "", "MEMs in which to allow execution (0-3, 0,1)")
	fs.Int64Var(&c.count, "cpu-count", 0, "CPU count (Windows only)")
	fs.Int64Var(&c.percent, "cpu-percent", 0, "CPU percent (Windows only)")
	fs.Int64Var(&c.period, "cpu-period", 0, "Limit CPU CFS (Completely Fair Scheduler) period")
	fs.Int64Var(&c.quota, "cpu-quota", 0, "Limit CPU CFS (Completely Fair Scheduler) quota")
	fs.Int64Var(&c.rtPeriod, "cpu-rt-period", 0, "Limit CPU real-time period in microseconds")
	fs.Int64Var(&c.rtQuota, "cpu-rt-runtime", 0, "Limit CPU real-time runtime in microseconds")
	fs.Int64VarP(&c.shares, "cpu-shares", "c", 0, "CPU shares (relative weight)")
	fs.Int64Var(&c.pids, "pids-limit", 0, "Tune container pids limit (set -1 for unlimited)")
	fs.Var(c.ulimits, "ulimit", "Ulimit options")
	hide(fs, "cpu-count", "cpu-percent")
}

func (c *cpuFlags) apply(_ *pflag.FlagSet, spec *Spec) error {
	r := &spec.HostConfig.Resources
	r.NanoCPUs, r.CPUCount, r.CPUPercent, r.CPUShares = c.cpus.Value(), c.count, c.percent, c.shares
	r.CPUPeriod, r.CPUQuota = c.period, c.quota
	r.CPURealtimePeriod, r.CPURealtimeRuntime = c.rtPeriod, c.rtQuota
	r.CpusetCpus, r.CpusetMems = c.set, c.mems
	r.PidsLimit, r.Ulimits = &c.pids, c.ulimits.GetList()
	return nil
}
