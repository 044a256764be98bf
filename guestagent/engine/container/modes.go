//go:build linux

package container

import (
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// checkModes checks the namespaces that are asked for, and what cannot go together with them.
func (s *Service) checkModes(c *container.Config, h *container.HostConfig, n *network.NetworkingConfig) error {
	switch {
	case !h.PidMode.Valid():
		return errdefs.Invalid("invalid PID mode: %s", h.PidMode)
	case !h.IpcMode.Valid():
		return errdefs.Invalid("invalid IPC mode: %s", h.IpcMode)
	case !h.UTSMode.Valid():
		return errdefs.Invalid("invalid UTS mode: %s", h.UTSMode)
	case !h.CgroupnsMode.Valid():
		return errdefs.Invalid("invalid cgroup namespace mode: %v", h.CgroupnsMode)
	case h.UsernsMode != "" && !h.UsernsMode.IsHost():
		return errdefs.Invalid("invalid userns mode: %s", h.UsernsMode)
	case h.UTSMode.IsHost() && c.Hostname != "":
		return errdefs.Invalid("conflicting options: hostname and the UTS mode")
	case h.Cgroup != "" && !h.Cgroup.Valid():
		return errdefs.Invalid("invalid cgroup spec: %s", h.Cgroup)
	}
	if err := s.checkMapped(h); err != nil {
		return err
	}
	if err := checkSharedNetwork(c, h); err != nil {
		return err
	}
	for _, ref := range []string{refOf(string(h.PidMode)), refOf(string(h.IpcMode))} { // a network's need be there only at the start
		if ref == "" {
			continue
		}
		if _, err := s.find(ref); err != nil {
			return errdefs.Invalid("%w", err)
		}
	}
	for key := range h.Sysctls {
		if err := checkSysctl(key, h); err != nil {
			return err
		}
	}
	return checkPorts(h)
}

// pinShared names containers whose namespaces are shared by their IDs, so that a new name does not part them. One that is
// not there yet is looked for at the start.
func (s *Service) pinShared(h *container.HostConfig) {
	id := func(mode string) string {
		if ref := refOf(mode); ref != "" {
			if e, err := s.find(ref); err == nil {
				return "container:" + e.snapshot().ID
			}
		}
		return mode
	}
	h.NetworkMode = container.NetworkMode(id(string(h.NetworkMode)))
	h.PidMode = container.PidMode(id(string(h.PidMode)))
	h.IpcMode = container.IpcMode(id(string(h.IpcMode)))
}

// checkSharedNetwork refuses what would need a network of one's own.
func checkSharedNetwork(c *container.Config, h *container.HostConfig) error {
	shared, host := h.NetworkMode.IsContainer(), h.NetworkMode.IsHost()
	switch {
	case !shared && !host:
		return nil
	case shared && c.Hostname != "":
		return errdefs.Invalid("conflicting options: hostname and the network mode")
	case len(h.Links) > 0 && shared:
		return errdefs.Invalid("conflicting options: container type network can't be used with links. This would result in undefined behavior")
	case len(h.Links) > 0:
		return errdefs.Invalid("conflicting options: host type networking can't be used with links. This would result in undefined behavior")
	case shared && len(h.DNS) > 0:
		return errdefs.Invalid("conflicting options: dns and the network mode")
	case shared && len(h.ExtraHosts) > 0:
		return errdefs.Invalid("conflicting options: custom host-to-IP mapping and the network mode")
	case shared && (len(h.PortBindings) > 0 || h.PublishAllPorts):
		return errdefs.Invalid("conflicting options: port publishing and the container type network mode")
	case shared && len(c.ExposedPorts) > 0:
		return errdefs.Invalid("conflicting options: port exposing and the container type network mode")
	}
	return nil
}

// checkSysctl lets through what belongs to a namespace of the container's own.
func checkSysctl(key string, h *container.HostConfig) error {
	ipc := map[string]bool{
		"kernel.msgmax": true, "kernel.msgmnb": true, "kernel.msgmni": true, "kernel.sem": true, "kernel.shmall": true,
		"kernel.shmmax": true, "kernel.shmmni": true, "kernel.shm_rmid_forced": true,
	}
	switch {
	case strings.HasPrefix(key, "net."):
		if h.NetworkMode.IsHost() {
			return errdefs.Invalid("sysctl '%s' not allowed in host network namespace", key)
		}
		return nil
	case ipc[key] || strings.HasPrefix(key, "fs.mqueue."):
		if h.IpcMode.IsHost() {
			return errdefs.Invalid("sysctl '%s' not allowed in host IPC namespace", key)
		}
		return nil
	}
	return errdefs.Invalid("sysctl '%s' is not allowed", key)
}

func checkPorts(h *container.HostConfig) error {
	for p, bindings := range h.PortBindings {
		if p.Num() == 0 {
			return errdefs.Invalid("invalid port specification: %q", p.String())
		}
		for _, b := range bindings {
			if b.HostPort == "" {
				continue
			}
			from, to, _ := strings.Cut(b.HostPort, "-")
			lo, err := strconv.ParseUint(from, 10, 16)
			hi := lo
			if err == nil && to != "" {
				hi, err = strconv.ParseUint(to, 10, 16)
			}
			if err != nil || hi < lo {
				return errdefs.Invalid("invalid port specification: %q", b.HostPort)
			}
		}
	}
	return nil
}

func numCPU() int { return runtime.NumCPU() }

// checkSet checks a list of CPUs or memory nodes ("0-2,7") against what the machine has.
func checkSet(what, set string) error {
	if set == "" {
		return nil
	}
	name := map[string]string{"cpus": "cpuset cpus", "mems": "cpuset mems"}[what]
	most := machineMost(what)
	var beyond error
	for _, part := range strings.Split(set, ",") {
		from, to, has := strings.Cut(part, "-")
		lo, err := strconv.ParseUint(from, 10, 16)
		hi := lo
		if err == nil && has {
			hi, err = strconv.ParseUint(to, 10, 16)
		}
		if err != nil || hi < lo {
			return errdefs.Invalid("Invalid value %s for %s", set, name)
		}
		if most >= 0 && int(hi) > most && beyond == nil {
			have := "0"
			if most > 0 {
				have += "-" + strconv.Itoa(most)
			}
			beyond = errdefs.Invalid("Requested %s are not available - requested %s, available: %s", map[string]string{"cpus": "CPUs", "mems": "memory nodes"}[what], set, have)
		}
	}
	return beyond
}

// machineMost is the highest CPU or memory node of the machine, -1 where it cannot be told.
func machineMost(what string) int {
	file := map[string]string{"cpus": "/sys/devices/system/cpu/online", "mems": "/sys/devices/system/node/online"}[what]
	b, err := os.ReadFile(file)
	if err != nil {
		return -1
	}
	text := strings.TrimSpace(string(b))
	last := text[strings.LastIndexAny(text, "-,")+1:]
	n, err := strconv.Atoi(last)
	if err != nil {
		return -1
	}
	return n
}
