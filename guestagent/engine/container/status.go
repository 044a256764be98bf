//go:build linux

package container

import (
	"fmt"
	"regexp"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
)

// statusText is the words of docker ps for a state.
func statusText(st *State, now time.Time) string {
	ago := func(t time.Time) string { return units.HumanDuration(now.Sub(t)) }
	switch st.Status {
	case container.StateRunning:
		text := "Up " + ago(st.StartedAt)
		if h := st.Health; h != nil && h.Status != "" && h.Status != container.NoHealthcheck {
			if h.Status == container.Starting {
				return text + " (health: starting)"
			}
			return text + fmt.Sprintf(" (%s)", h.Status)
		}
		return text
	case container.StatePaused:
		return "Up " + ago(st.StartedAt) + " (Paused)"
	case container.StateRestarting:
		return fmt.Sprintf("Restarting (%d) %s ago", st.ExitCode, ago(st.FinishedAt))
	case container.StateRemoving:
		return "Removal In Progress"
	case container.StateDead:
		return "Dead"
	case container.StateCreated:
		return "Created"
	}
	if st.FinishedAt.IsZero() {
		return ""
	}
	return fmt.Sprintf("Exited (%d) %s ago", st.ExitCode, ago(st.FinishedAt))
}

// matchName compares a name with a filter: a regular expression anywhere in it, with or without the slash.
func matchName(name, filter string) bool {
	re, err := regexp.Compile(filter)
	if err != nil {
		return name == filter
	}
	return re.MatchString("/"+name) || re.MatchString(name)
}
