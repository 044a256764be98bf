//go:build linux

package netd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/network/netdproto"
)

// running is a server in this process.
type running struct {
	*netdproto.Client
	cfg  Config
	stop func() error
}

func start(t *testing.T, dir string) *running {
	t.Helper()
	r := &running{cfg: Config{Socket: filepath.Join(dir, "s"), State: filepath.Join(dir, "state"), ResolvConf: filepath.Join(dir, "resolv.conf"),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil))}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, r.cfg) }()
	r.Client = netdproto.NewClient(r.cfg.Socket, func() error { return nil })
	if err := r.Ensure(ctx); err != nil {
		t.Fatal(err)
	}
	r.stop = func() error {
		cancel()
		r.Close()
		select {
		case err := <-done:
			return err
		case <-time.After(10 * time.Second):
			return errors.New("it does not end")
		}
	}
	return r
}

// echo answers TCP with what the client says, reversed to upper case, after the client has closed its half.
func echo(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				data, _ := io.ReadAll(c)
				_, _ = c.Write([]byte(strings.ToUpper(string(data))))
			}()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}

func say(t *testing.T, addr, what string) (string, error) {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write([]byte(what)); err != nil {
		return "", err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return "", err
	}
	out, err := io.ReadAll(c)
	return string(out), err
}

func tcpPort(target netip.AddrPort, hosts ...string) netdproto.Port {
	p := netdproto.Port{Proto: "tcp", Targets: []netip.AddrPort{target}}
	for _, h := range hosts {
		p.HostIPs = append(p.HostIPs, netip.MustParseAddr(h))
	}
	return p
}

func TestPortsAreHeldProxiedAndRestored(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	r := start(t, dir)
	bound, err := r.Put(ctx, netdproto.Sandbox{ID: "a", Ports: []netdproto.Port{tcpPort(echo(t), "127.0.0.1", "::1")}})
	if err != nil {
		t.Fatal(err)
	}
	port := bound[0].HostPort
	check := func(when string) {
		t.Helper()
		for _, host := range []string{"127.0.0.1", "[::1]"} {
			if got, err := say(t, fmt.Sprintf("%s:%d", host, port), "hello"); err != nil || got != "HELLO" {
				t.Errorf("%s, %s: %q, %v", when, host, got, err)
			}
		}
	}
	check("at first")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := say(t, fmt.Sprintf("127.0.0.1:%d", port), "x"); err == nil {
		t.Error("a stopped server answers")
	}
	r = start(t, dir)
	check("after a restart")
	list, err := r.List(ctx)
	if err != nil || len(list) != 1 || list[0].Ports[0].HostPort != port {
		t.Errorf("list: %+v, %v", list, err)
	}
	if err := r.Keep(ctx, []string{"b"}); err != nil {
		t.Fatal(err)
	}
	if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
		t.Errorf("the port is still held: %v", err)
	} else {
		l.Close()
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

func TestPutIsAllOrNothing(t *testing.T) {
	ctx := context.Background()
	r := start(t, t.TempDir())
	defer func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	}()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	target := echo(t)
	free := tcpPort(target, "127.0.0.1")
	takenPort := tcpPort(target, "127.0.0.1")
	takenPort.HostPort = netip.MustParseAddrPort(l.Addr().String()).Port()
	bound, err := r.Put(ctx, netdproto.Sandbox{ID: "a", Ports: []netdproto.Port{free}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Put(ctx, netdproto.Sandbox{ID: "a", Ports: []netdproto.Port{bound[0], takenPort}})
	var refusal *netdproto.Error
	if !errors.As(err, &refusal) || refusal.Code != netdproto.CodeTaken || refusal.Addr != netip.MustParseAddrPort(l.Addr().String()) {
		t.Fatalf("got %v", err)
	}
	if got, err := say(t, fmt.Sprintf("127.0.0.1:%d", bound[0].HostPort), "still"); err != nil || got != "STILL" {
		t.Errorf("what was served before: %q, %v", got, err)
	}
	other := tcpPort(target, "127.0.0.1")
	other.HostPort = bound[0].HostPort
	if _, err = r.Put(ctx, netdproto.Sandbox{ID: "b", Ports: []netdproto.Port{other}}); !errors.As(err, &refusal) || refusal.Code != netdproto.CodeTaken {
		t.Errorf("two containers at one port: %v", err)
	}
	if _, err = r.Put(ctx, netdproto.Sandbox{ID: "b", Ports: []netdproto.Port{{}}}); !errors.As(err, &refusal) || refusal.Code != netdproto.CodeInvalid {
		t.Errorf("nonsense: %v", err)
	}
	far := tcpPort(target, "192.0.2.55")
	if _, err = r.Put(ctx, netdproto.Sandbox{ID: "b", Ports: []netdproto.Port{far}}); !errors.As(err, &refusal) || refusal.Code != netdproto.CodeInvalid {
		t.Errorf("an address that is not ours: %v", err)
	}
	if list, _ := r.List(ctx); len(list) != 1 || len(list[0].Ports) != 1 {
		t.Errorf("after refusals: %+v", list)
	}
}

func TestPutMovesTheTargetUnderTheSameSocket(t *testing.T) {
	ctx := context.Background()
	r := start(t, t.TempDir())
	defer r.stop()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := netip.MustParseAddrPort(closed.Addr().String())
	closed.Close()
	bound, err := r.Put(ctx, netdproto.Sandbox{ID: "a", Ports: []netdproto.Port{tcpPort(nobody, "127.0.0.1")}})
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", bound[0].HostPort)
	if got, err := say(t, addr, "x"); err == nil && got != "" {
		t.Errorf("nobody answers %q", got)
	}
	bound[0].Targets = []netip.AddrPort{echo(t)}
	if _, err := r.Put(ctx, netdproto.Sandbox{ID: "a", Ports: bound}); err != nil {
		t.Fatal(err)
	}
	if got, err := say(t, addr, "moved"); err != nil || got != "MOVED" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestUDP(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		buf := make([]byte, 70000)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = server.WriteTo([]byte(strings.ToUpper(string(buf[:n]))), from)
		}
	}()
	r := start(t, t.TempDir())
	defer r.stop()
	p := tcpPort(netip.MustParseAddrPort(server.LocalAddr().String()), "127.0.0.1", "::1")
	p.Proto = "udp"
	bound, err := r.Put(context.Background(), netdproto.Sandbox{ID: "a", Ports: []netdproto.Port{p}})
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := net.Dial("udp", net.JoinHostPort(host, fmt.Sprint(bound[0].HostPort)))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(3 * time.Second))
		big := strings.Repeat("x", 2048) // teaches the proxy that large datagrams come
		for _, what := range []string{"one", "two", big, strings.Repeat("y", 9000)} {
			if _, err := c.Write([]byte(what)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 70000)
			n, err := c.Read(buf)
			if err != nil || string(buf[:n]) != strings.ToUpper(what) {
				t.Errorf("%s: %d bytes came back for %d, %v", host, n, len(what), err)
			}
		}
	}
}

func TestSCTPIsHeldOrRefusedClearly(t *testing.T) {
	r := start(t, t.TempDir())
	defer r.stop()
	p := tcpPort(netip.MustParseAddrPort("127.0.0.1:9"), "127.0.0.1")
	p.Proto = "sctp"
	bound, err := r.Put(context.Background(), netdproto.Sandbox{ID: "a", Ports: []netdproto.Port{p}})
	var refusal *netdproto.Error
	switch {
	case err == nil && bound[0].HostPort == 0:
		t.Error("no port was bound")
	case err != nil && (!errors.As(err, &refusal) || refusal.Code != netdproto.CodeUnsupported || !strings.Contains(err.Error(), "does not support the protocol")):
		t.Errorf("got %v", err)
	}
}

func TestSecondServerIsRefusedAndSocketIsPrivate(t *testing.T) {
	r := start(t, t.TempDir())
	defer r.stop()
	if err := Run(context.Background(), r.cfg); err == nil || !strings.Contains(err.Error(), "another berth-netd serves") {
		t.Errorf("a second server: %v", err)
	}
	st, err := os.Stat(r.cfg.Socket)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("socket has mode %v, %v", st.Mode(), err)
	}
	if err := r.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestUnusableStateIsNoReasonToFail(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "state"), []byte("not json"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, dir)
	if list, err := r.List(context.Background()); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{"Version":1,"Sandboxes":[{"ID":"a","Ports":[{"Proto":"tcp","HostIPs":["0.0.0.0"],"HostPort":80,"Targets":["10.0.0.2:80"]}]}]}`))
	f.Add([]byte(`{"Version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		recs, err := parseState(data)
		if err != nil && recs != nil {
			t.Error("an error and records")
		}
		for _, rec := range recs {
			_ = rec.Validate()
		}
	})
}
