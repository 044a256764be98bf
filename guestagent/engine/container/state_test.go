//go:build linux

package container

import (
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
)

func TestOnlyTheDrawnWaysExist(t *testing.T) {
	want := map[container.ContainerState]string{
		"": "created", "created": "running removing exited", "running": "paused exited restarting", "paused": "running exited restarting",
		"restarting": "running exited removing restarting", "exited": "running removing restarting exited", "removing": "dead", "dead": "removing",
	}
	all := strings.Fields("created running paused restarting exited removing dead")
	for from, list := range want {
		for _, to := range all {
			st := State{Status: from, Pid: 7}
			ok := st.turn(container.ContainerState(to))
			if allowed := strings.Contains(" "+list+" ", " "+to+" "); ok != allowed {
				t.Errorf("%q -> %q: %v", from, to, ok)
			}
			if !ok && (st.Status != from || st.Pid != 7) {
				t.Errorf("%q -> %q was refused and changed the state", from, to)
			}
			if ok && !st.running() && st.Pid != 0 {
				t.Errorf("%q -> %q keeps a pid", from, to)
			}
		}
	}
}
