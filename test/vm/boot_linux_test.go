package vm

import (
	"testing"
	"time"

	"github.com/berthhq/berth/internal/agentapi"
)

func TestBoot(t *testing.T) {
	began := time.Now()
	g := boot(t, disk(t, 4<<30))
	t.Logf("handshake after %s, guest's uptime %d ms, kernel %s", g.took, g.welcome.Status.UptimeMS, g.welcome.Kernel)
	g.ready()
	t.Logf("/_ping after %s", time.Since(began))
	s := call[agentapi.Status](g, agentapi.OpStatus, nil)
	t.Logf("%+v", s)
}
