package runflags

import (
	"github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

func (c *Flags) buildResources(f *pflag.FlagSet, s *Spec) error {
	p, h := &c.resources, s.Host
	h.ShmSize, h.OomScoreAdj = p.shm.Value(), p.oomScore
	h.Resources = container.Resources{
		CgroupParent: p.cgroupParent, Memory: p.memory.Value(), MemoryReservation: p.reservation.Value(), MemorySwap: p.swap.Value(),
		NanoCPUs: p.cpus.Value(), CPUShares: p.cpuShares, CPUPeriod: p.cpuPeriod, CPUQuota: p.cpuQuota,
		CPURealtimePeriod: p.rtPeriod, CPURealtimeRuntime: p.rtRuntime, CpusetCpus: p.cpuset, CpusetMems: p.mems,
		BlkioWeight: p.blkioWeight, BlkioWeightDevice: p.weightDevices.GetList(),
		BlkioDeviceReadBps: p.readBps.GetList(), BlkioDeviceWriteBps: p.writeBps.GetList(),
		BlkioDeviceReadIOps: p.readIOps.GetList(), BlkioDeviceWriteIOps: p.writeIOps.GetList(),
		Ulimits: p.ulimits.GetList(), Devices: h.Devices, DeviceRequests: h.DeviceRequests, DeviceCgroupRules: h.DeviceCgroupRules,
	}
	if f.Changed("memory-swappiness") {
		h.MemorySwappiness = &p.swappiness
	}
	h.OomKillDisable = &p.oomKillDisable
	if f.Changed("pids-limit") {
		h.PidsLimit = &p.pids
	}
	return nil
}
