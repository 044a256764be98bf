//go:build linux

package container

import (
	"context"

	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

// ContainerUpdate changes limits and the restart policy, of a running container at once. What is not named stays.
func (s *Service) ContainerUpdate(ctx context.Context, ref string, cfg *container.UpdateConfig) (container.UpdateResponse, error) {
	none := container.UpdateResponse{}
	e, err := s.find(ref)
	if err != nil {
		return none, err
	}
	release, err := e.acquire(ctx)
	if err != nil {
		return none, err
	}
	defer release()
	r := e.snapshot()
	if r.Doomed || r.State.Status == container.StateDead {
		return none, errdefs.Conflict("Cannot update container %s: container is marked for removal and cannot be \"update\".", r.ID)
	}
	if old := r.Host.MemorySwap; cfg.MemorySwap == 0 && old > 0 && cfg.Memory > old {
		return none, errdefs.Invalid("Cannot update container %s: Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time", r.ID)
	}
	if err := conflictingCPU(&r.Host.Resources, &cfg.Resources); err != nil {
		return none, err
	}
	h, asked := *r.Host, changeable(&cfg.Resources)
	discarded, err := runtime.MachineControllers().Discard(&asked)
	if err != nil {
		return none, err
	}
	overlay(&h.Resources, &asked)
	if cfg.RestartPolicy.Name != "" {
		if r.Host.AutoRemove {
			return none, errdefs.Conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
		}
		h.RestartPolicy = cfg.RestartPolicy
	}
	warnings, err := checkHost(&h)
	if err != nil {
		return none, err
	}
	if r.State.running() {
		if asked.Memory > 0 {
			asked.MemorySwap = h.MemorySwap
		}
		limits, err := runtime.Resources(&asked)
		if err != nil {
			return none, err
		}
		if limits.Memory != nil || limits.CPU != nil || limits.Pids != nil || limits.BlockIO != nil {
			if err := s.Runtime.Update(ctx, r.ID, limits); err != nil {
				return none, errdefs.System("Cannot update container %s: %w", r.ID, err)
			}
		}
	}
	if err := s.change(e, func(r *Record) { r.Host = &h }); err != nil {
		return none, err
	}
	s.publish(&r, "update")
	if warnings = append(warnings, discarded...); len(warnings) == 0 {
		warnings = nil // null, as dockerd
	}
	return container.UpdateResponse{Warnings: warnings}, nil
}

// conflictingCPU refuses to set one way of limiting CPU time where the other is set already.
func conflictingCPU(have, want *container.Resources) error {
	for _, c := range []struct {
		bad          bool
		asked, there string
	}{
		{want.NanoCPUs > 0 && have.CPUPeriod > 0, "Nano CPUs", "CPU Period"},
		{want.NanoCPUs > 0 && have.CPUQuota > 0, "Nano CPUs", "CPU Quota"},
		{want.CPUPeriod > 0 && have.NanoCPUs > 0, "CPU Period", "NanoCPUs"},
		{want.CPUQuota > 0 && have.NanoCPUs > 0, "CPU Quota", "NanoCPUs"},
	} {
		if c.bad {
			return errdefs.Invalid("Conflicting options: %s cannot be updated as %s has already been set", c.asked, c.there)
		}
	}
	return nil
}

// changeable are the limits that an update heeds, as dockerd's.
func changeable(r *container.Resources) container.Resources {
	return container.Resources{
		CPUShares: r.CPUShares, NanoCPUs: r.NanoCPUs, CPUPeriod: r.CPUPeriod, CPUQuota: r.CPUQuota, CpusetCpus: r.CpusetCpus, CpusetMems: r.CpusetMems,
		CPURealtimePeriod: r.CPURealtimePeriod, CPURealtimeRuntime: r.CPURealtimeRuntime, BlkioWeight: r.BlkioWeight,
		Memory: r.Memory, MemoryReservation: r.MemoryReservation, MemorySwap: r.MemorySwap, PidsLimit: r.PidsLimit,
	}
}

// overlay puts the limits that an update names over those that hold.
func overlay(to, from *container.Resources) {
	for _, f := range []struct{ to, from *int64 }{
		{&to.Memory, &from.Memory}, {&to.MemoryReservation, &from.MemoryReservation}, {&to.MemorySwap, &from.MemorySwap},
		{&to.CPUShares, &from.CPUShares}, {&to.NanoCPUs, &from.NanoCPUs}, {&to.CPUPeriod, &from.CPUPeriod},
		{&to.CPUQuota, &from.CPUQuota}, {&to.CPURealtimePeriod, &from.CPURealtimePeriod}, {&to.CPURealtimeRuntime, &from.CPURealtimeRuntime},
	} {
		if *f.from != 0 {
			*f.to = *f.from
		}
	}
	if from.CpusetCpus != "" {
		to.CpusetCpus = from.CpusetCpus
	}
	if from.CpusetMems != "" {
		to.CpusetMems = from.CpusetMems
	}
	if from.BlkioWeight != 0 {
		to.BlkioWeight = from.BlkioWeight
	}
	if from.PidsLimit != nil {
		limit := max(*from.PidsLimit, 0) // -1 is no limit too
		to.PidsLimit = &limit
	}
}
