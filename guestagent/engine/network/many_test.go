//go:build linux

package network

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	apinet "github.com/moby/moby/api/types/network"
)

func (p *pool) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ready)
}

func (w *world) waitForPool(n int) {
	w.t.Helper()
	for range 500 {
		if w.pool.count() == n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatalf("%d prepared namespaces, want %d", w.pool.count(), n)
}

func TestPreparedNamespacesAreUsedAndLeaveNothing(t *testing.T) {
	w := newWorld(t, Config{})
	if err := w.Reconcile(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	w.waitForPool(poolSize)
	a := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "a"})
	if !strings.Contains(a.Key, poolPrefix) {
		t.Errorf("a made its own namespace: %s", a.Key)
	}
	big := w.create(apinet.CreateRequest{Name: "small", Options: map[string]string{optMTU: "1280"}})
	b := w.attach(SandboxConfig{ContainerID: "bbbb", Name: "b", Mode: big})
	w.in(b.Key, func() error {
		out, err := exec.Command("ip", "link", "show", "eth0").CombinedOutput()
		if !strings.Contains(string(out), "mtu 1280") || !strings.Contains(string(out), b.Endpoints["small"].MacAddress.String()) {
			t.Errorf("eth0 is %s", out)
		}
		return err
	})
	w.serveTCP(a.Key, ":80", "a")
	w.waitForPool(poolSize) // again
	c := w.attach(SandboxConfig{ContainerID: "cccc", Name: "c"})
	w.expect("between prepared namespaces", c.Key, "172.17.0.2:80", "a 172.17.0.3")

	w.Close() // a crash would leave them; an orderly end does not
	w.open()
	if err := w.Reconcile(context.Background(), []string{"aaaa", "cccc"}); err != nil {
		t.Fatal(err)
	}
	w.expect("after the engine came back", c.Key, "172.17.0.2:80", "a 172.17.0.3")
}

func TestManyAtOnce(t *testing.T) {
	w := newWorld(t, Config{})
	w.create(apinet.CreateRequest{Name: "lan"})
	ctx := context.Background()
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]string{}
	for i := range 16 {
		wg.Go(func() {
			id := fmt.Sprintf("many%02d", i)
			mode := []string{"bridge", "lan", "none"}[i%3]
			for range 4 {
				sb, err := w.Attach(ctx, SandboxConfig{ContainerID: id, Name: id, Mode: mode, PortBindings: bindings("|=80/tcp")})
				if err != nil {
					t.Error(err)
					return
				}
				addr := sb.Endpoints[mode].IPAddress.String()
				mu.Lock()
				if other := seen[addr]; mode != "none" && other != "" {
					t.Errorf("%s and %s have %s", id, other, addr)
				}
				seen[addr] = id
				mu.Unlock()
				_, err = w.NetworkInspect(ctx, mode, false)
				mu.Lock()
				delete(seen, addr)
				mu.Unlock()
				if derr := w.Detach(ctx, id); err != nil || derr != nil {
					t.Error(err, derr)
				}
			}
		})
	}
	wg.Wait()
	for _, n := range w.networks {
		if len(n.endpoints) > 0 {
			t.Errorf("network %s keeps %d endpoints", n.rec.Name, len(n.endpoints))
		}
		for _, s := range n.subnets {
			if s.Used() != 1 { // the gateway
				t.Errorf("network %s keeps %d addresses", n.rec.Name, s.Used())
			}
		}
	}
	if list, err := w.netd.List(ctx); err != nil || len(list) != 0 {
		t.Errorf("berth-netd keeps %v, %v", list, err)
	}
}

func TestFlushedRulesetIsRepaired(t *testing.T) {
	w := newWorld(t, Config{})
	a := w.attach(SandboxConfig{ContainerID: "aaaa", Name: "a", PortBindings: bindings("|8060=80/tcp")})
	w.serveTCP(a.Key, ":80", "a")
	if out, err := exec.Command("nft", "flush", "ruleset").CombinedOutput(); err != nil {
		t.Skipf("needs nft: %v: %s", err, out)
	}
	w.attach(SandboxConfig{ContainerID: "bbbb", Name: "b", PortBindings: bindings("|8061=80/tcp")})
	w.expect("a port published before the flush", w.neighbour, hostAddr+":8060", "a "+neighbourAddr)
	if out, err := exec.Command("nft", "flush", "ruleset").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := w.Detach(context.Background(), "bbbb"); err != nil {
		t.Error(err)
	}
	id := w.create(apinet.CreateRequest{Name: "lan"})
	if out, err := exec.Command("nft", "flush", "ruleset").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := w.NetworkRemove(context.Background(), id); err != nil {
		t.Error(err)
	}
	w.expect("a port published before all flushes", w.neighbour, hostAddr+":8060", "a "+neighbourAddr)
}

func TestWarnings(t *testing.T) {
	w := newWorld(t, Config{})
	if got, err := w.Warnings(); err != nil || len(got) != 0 {
		t.Errorf("on a clean machine: %v, %v", got, err)
	}
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader("table ip fw { chain f { type filter hook forward priority 0; policy drop; } }")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("needs nft: %v: %s", err, out)
	}
	defer exec.Command("nft", "delete", "table", "ip", "fw").Run()
	got, err := w.Warnings()
	if err != nil || len(got) != 1 || !strings.Contains(got[0], `nftables table "ip fw" (chain f)`) || !strings.Contains(got[0], "iifname "+w.defaultBridge()+" accept") {
		t.Errorf("got %v, %v", got, err)
	}
}
