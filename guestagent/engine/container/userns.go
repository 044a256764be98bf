//go:build linux

package container

import (
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/sys/user"
)

// mapping is that of a container's user namespace; empty where it is in the machine's.
func (s *Service) mapping(h *container.HostConfig) user.IdentityMapping {
	if h.UsernsMode.IsHost() {
		return user.IdentityMapping{}
	}
	return s.Defaults.IDs
}

// checkMapped refuses what a container in a user namespace cannot have of the machine.
func (s *Service) checkMapped(h *container.HostConfig) error {
	switch {
	case s.mapping(h).Empty():
	case h.Privileged:
		return errdefs.Invalid("privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode")
	case h.NetworkMode.IsHost():
		return errdefs.Invalid("cannot share the host's network namespace when user namespaces are enabled")
	case h.PidMode.IsHost():
		return errdefs.Invalid("cannot share the host PID namespace when user namespaces are enabled")
	}
	return nil
}
