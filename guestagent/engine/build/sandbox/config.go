//go:build linux

package sandbox

import (
	"github.com/moby/buildkit/executor"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/moby/api/types/container"
)

// containerConfig is what a command's metadata says in the words of a container.
func containerConfig(m executor.Meta) *container.Config {
	return &container.Config{User: m.User, WorkingDir: m.Cwd, Tty: m.Tty}
}

// hostConfig is the same for what a container is given of the machine.
func hostConfig(m executor.Meta) *container.HostConfig {
	h := &container.HostConfig{Privileged: m.SecurityMode == pb.SecurityMode_INSECURE}
	for _, u := range m.Ulimit {
		if u != nil {
			h.Ulimits = append(h.Ulimits, &container.Ulimit{Name: u.Name, Soft: u.Soft, Hard: u.Hard})
		}
	}
	if r := m.LinuxResources; r != nil {
		h.Memory, h.MemorySwap = r.Memory, r.MemorySwap
		h.CPUShares, h.CPUPeriod, h.CPUQuota = int64(r.CpuShares), int64(r.CpuPeriod), r.CpuQuota
		h.CpusetCpus, h.CpusetMems = r.CpusetCpus, r.CpusetMems
	}
	for _, d := range m.CDIDevices {
		h.DeviceRequests = append(h.DeviceRequests, container.DeviceRequest{Driver: "cdi", DeviceIDs: []string{d.Name}})
	}
	return h
}
