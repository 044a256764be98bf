//go:build linux

package netdproto

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
)

func validPort() Port {
	return Port{Proto: "tcp", HostIPs: []netip.Addr{netip.IPv4Unspecified()}, HostPort: 80, Targets: []netip.AddrPort{
		netip.MustParseAddrPort("10.0.0.2:80"), netip.MustParseAddrPort("[fd00::2]:80")}}
}

func TestValidate(t *testing.T) {
	with := func(change func(*Port)) *Sandbox {
		p := validPort()
		change(&p)
		return &Sandbox{ID: "x", Ports: []Port{p}}
	}
	for name, s := range map[string]*Sandbox{
		"nil": nil, "no id": {}, "protocol": with(func(p *Port) { p.Proto = "icmp" }), "no host": with(func(p *Port) { p.HostIPs = nil }),
		"no target": with(func(p *Port) { p.Targets = nil }), "range": with(func(p *Port) { p.HostPortEnd = 79 }),
		"invalid host": with(func(p *Port) { p.HostIPs = make([]netip.Addr, 1) }), "invalid target": with(func(p *Port) { p.Targets = make([]netip.AddrPort, 1) }),
	} {
		var refusal *Error
		if err := s.Validate(); !errors.As(err, &refusal) || refusal.Code != CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := with(func(*Port) {}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestTarget(t *testing.T) {
	p := validPort()
	for host, want := range map[string]string{"0.0.0.0": "10.0.0.2:80", "::": "[fd00::2]:80", "127.0.0.1": "10.0.0.2:80"} {
		if got := p.Target(netip.MustParseAddr(host)); got.String() != want {
			t.Errorf("%s goes to %s", host, got)
		}
	}
	p.Targets = p.Targets[:1]
	if got := p.Target(netip.MustParseAddr("::1")); got.String() != "10.0.0.2:80" {
		t.Errorf("without IPv6 [::1] goes to %s", got)
	}
}

// fakeNetd answers every call with a version, and closes each connection after limit calls.
func fakeNetd(t *testing.T, socket string, limit int, calls *atomic.Int32) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				conn := proto.NewConn(c)
				for range limit {
					var req Request
					if _, err := conn.Recv(&req); err != nil {
						return
					}
					calls.Add(1)
					resp := Response{Version: Version}
					if req.ID == "refused" {
						resp.Error = &Error{Code: CodeTaken, Message: "no"}
					}
					if conn.Send(resp) != nil {
						return
					}
				}
			}()
		}
	}()
}

func TestClientStartsNetdOnceAndReconnects(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	var calls, starts atomic.Int32
	c := NewClient(socket, func() error {
		starts.Add(1)
		fakeNetd(t, socket, 2, &calls)
		return nil
	})
	defer c.Close()
	if c.Running() {
		t.Error("it runs before it was started")
	}
	ctx := context.Background()
	for range 7 { // every connection ends after two calls
		if err := c.Ensure(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if starts.Load() != 1 || calls.Load() != 7 {
		t.Errorf("%d starts, %d calls", starts.Load(), calls.Load())
	}
	var refusal *Error
	if err := c.Drop(ctx, "refused"); !errors.As(err, &refusal) || refusal.Code != CodeTaken {
		t.Errorf("a refusal became %v", err)
	}
}

func TestClientReportsWhyNetdDoesNotStart(t *testing.T) {
	boom := errors.New("boom")
	c := NewClient(filepath.Join(t.TempDir(), "s"), func() error { return boom })
	if err := c.Ensure(context.Background()); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if err := c.Stop(context.Background()); err != nil {
		t.Errorf("stopping what does not run: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	quiet := NewClient(filepath.Join(t.TempDir(), "s"), func() error { return nil })
	if err := quiet.Ensure(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled wait: %v", err)
	}
}

func FuzzRequest(f *testing.F) {
	body, err := json.Marshal(Request{Op: OpPut, Sandbox: &Sandbox{ID: "x", NetNS: "/n", Ports: []Port{validPort()}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"Op":"put","Sandbox":{"ID":"a","Ports":[{"Proto":"udp","HostIPs":[""],"Targets":["1.2.3.4:0"]}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var req, again Request
		if json.Unmarshal(data, &req) != nil || req.Sandbox.Validate() != nil {
			return
		}
		for _, p := range req.Sandbox.Ports {
			for _, ip := range p.HostIPs {
				if !p.Target(ip).IsValid() {
					t.Errorf("port %+v has no target for %s", p, ip)
				}
			}
		}
		out, err := json.Marshal(req)
		if err != nil || json.Unmarshal(out, &again) != nil || len(again.Sandbox.Ports) != len(req.Sandbox.Ports) {
			t.Errorf("%s does not survive: %v", data, err)
		}
		if len(req.Sandbox.Ports) > 0 && !reflect.DeepEqual(req.Sandbox.Ports, again.Sandbox.Ports) {
			t.Errorf("%+v became %+v", req.Sandbox.Ports, again.Sandbox.Ports)
		}
	})
}
