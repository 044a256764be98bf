//go:build linux

package network

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/berthhq/berth/internal/agentapi"
)

// computer stands for the one around a virtual machine.
type computer struct {
	mu    sync.Mutex
	taken map[uint16]bool
	busy  int // so many more requests find their port taken
	open  map[agentapi.Port]string
}

func (c *computer) Open(_ context.Context, p agentapi.Publish) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy > 0 || c.taken[p.Port.Port] {
		c.busy = max(0, c.busy-1)
		return agentapi.Errorf(agentapi.CodeTaken, "failed to bind host port %s:%d/%s: address already in use by process nginx (pid 7)", p.Address, p.Port.Port, p.Proto)
	}
	if c.open == nil {
		c.open = map[agentapi.Port]string{}
	}
	c.open[p.Port] = p.Target
	return nil
}

func (c *computer) Close(_ context.Context, p agentapi.Publish) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, p.Port)
	return nil
}

// has lists what is open.
func (c *computer) has() (all []agentapi.Publish) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, t := range c.open {
		all = append(all, agentapi.Publish{Port: p, Target: t})
	}
	slices.SortFunc(all, func(a, b agentapi.Publish) int { return strings.Compare(a.Address, b.Address) })
	return all
}

func TestPortsInAVirtualMachineAreTheHosts(t *testing.T) {
	host := &computer{taken: map[uint16]bool{8081: true}}
	w := newWorld(t, Config{Host: host})
	sb := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "web", PortBindings: bindings("|8080=80/tcp", "192.0.2.7|9000=90/tcp")})
	ip := sb.Endpoints["bridge"].IPAddress.String()
	want := []agentapi.Publish{
		{Port: agentapi.Port{Proto: "tcp", Address: "0.0.0.0", Port: 8080, Container: "aaaa"}, Target: ip + ":80"},
		{Port: agentapi.Port{Proto: "tcp", Address: "192.0.2.7", Port: 9000, Container: "aaaa"}, Target: ip + ":90"},
		{Port: agentapi.Port{Proto: "tcp", Address: "::", Port: 8080, Container: "aaaa"}, Target: ip + ":80"},
	}
	if got := host.has(); !slices.Equal(got, want) {
		t.Errorf("the host listens on %v; want %v", got, want)
	}
	_, err := w.Attach(context.Background(), SandboxConfig{ContainerID: "bbbb", Name: "second", PortBindings: bindings("|8082=80/tcp", "|8081=81/tcp")})
	if err == nil || !strings.Contains(err.Error(), "by process nginx (pid 7)") {
		t.Errorf("a port that the host has taken: %v", err)
	}
	if got := host.has(); !slices.Equal(got, want) {
		t.Errorf("after it the host listens on %v", got)
	}
	if err := w.Detach(context.Background(), "aaaa"); err != nil {
		t.Fatal(err)
	}
	if got := host.has(); len(got) > 0 {
		t.Errorf("left open: %v", got)
	}
}

func TestAPortThatNobodyChoseIsOneThatTheHostHasFree(t *testing.T) {
	host := &computer{busy: 3}
	w := newWorld(t, Config{Host: host})
	sb := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "web", PortBindings: bindings("127.0.0.1|=80/tcp")})
	got := host.has()
	if len(got) != 1 {
		t.Fatalf("the host listens on %v", got)
	}
	for _, b := range sb.Ports {
		if len(b) != 1 || b[0].HostPort != portString(got[0].Port.Port) || b[0].HostIP.String() != "127.0.0.1" {
			t.Errorf("told %v, open %v", b, got)
		}
	}
}
