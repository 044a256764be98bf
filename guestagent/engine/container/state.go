//go:build linux

package container

import (
	"slices"

	"github.com/moby/moby/api/types/container"
)

// The states of a container and the ways between them:
//
//	created --start--> running --exit--> exited --start--> running
//	                   running --pause--> paused --unpause--> running
//	                   paused --exit--> exited
//	                   running --exit, policy--> restarting --back-off--> running
//	                   restarting --stop--> exited
//	any of them but running, paused --rm--> removing --> gone
//	removing --failed--> dead --rm--> removing
func ways() map[container.ContainerState][]container.ContainerState {
	return map[container.ContainerState][]container.ContainerState{
		"":                        {container.StateCreated},
		container.StateCreated:    {container.StateRunning, container.StateRemoving, container.StateExited},
		container.StateRunning:    {container.StatePaused, container.StateExited, container.StateRestarting},
		container.StatePaused:     {container.StateRunning, container.StateExited, container.StateRestarting},
		container.StateRestarting: {container.StateRunning, container.StateExited, container.StateRemoving, container.StateRestarting},
		container.StateExited:     {container.StateRunning, container.StateRemoving, container.StateRestarting, container.StateExited},
		container.StateRemoving:   {container.StateDead},
		container.StateDead:       {container.StateRemoving},
	}
}

// turn is the one place where a state changes. It reports whether the way exists; where it does not, nothing happens.
func (s *State) turn(to container.ContainerState) bool {
	if !slices.Contains(ways()[s.Status], to) {
		return false
	}
	s.Status = to
	if !s.running() {
		s.Pid = 0
	}
	return true
}
