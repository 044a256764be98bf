//go:build linux

package network

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	apinet "github.com/moby/moby/api/types/network"

	"github.com/berthhq/berth/guestagent/engine/events"
	"github.com/berthhq/berth/guestagent/engine/meta"
	"github.com/berthhq/berth/guestagent/engine/network/netdproto"
	"github.com/berthhq/berth/guestagent/engine/network/netns"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
)

func TestEngineComesBack(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, Config{})
	w.create(apinet.CreateRequest{Name: "lan"})
	lost := w.create(apinet.CreateRequest{Name: "lost"})
	web := w.attach(SandboxConfig{ContainerID: "web1", Name: "web", Mode: "lan", PortBindings: bindings("|8090=80/tcp")})
	app := w.attach(SandboxConfig{ContainerID: "app1", Name: "app", Mode: "lan"})
	w.attach(SandboxConfig{ContainerID: "dead", Name: "dead", PortBindings: bindings("|8091=80/tcp")})
	w.serveTCP(web.Key, ":80", "web")
	addr := web.Endpoints["lan"].IPAddress.String()

	w.Close() // the engine dies
	w.expect("a published port while the engine is dead", "", "127.0.0.1:8090", "web "+gatewayOf(web, "lan"))
	w.expectName(app.Key, "web", addr)
	if err := netns.Create(filepath.Join(w.layout.NetNS(), "half"), nil); err != nil { // it died while attaching
		t.Fatal(err)
	}
	if err := w.nets.Delete(lost); err != nil { // … and while removing a network
		t.Fatal(err)
	}

	w.open()
	if err := w.Reconcile(ctx, []string{"web1", "app1"}); err != nil {
		t.Fatal(err)
	}
	w.expect("a published port after the engine is back", "", "127.0.0.1:8090", "web "+gatewayOf(web, "lan"))
	w.expectName(app.Key, "web", addr)
	for _, ns := range []string{"half", "dead"} {
		if netns.Exists(filepath.Join(w.layout.NetNS(), ns)) {
			t.Errorf("namespace %s is left over", ns)
		}
	}
	if _, err := net.InterfaceByName("br-" + lost[:12]); err == nil {
		t.Error("a removed network's bridge is left over")
	}
	if l, err := net.Listen("tcp", "0.0.0.0:8091"); err != nil {
		t.Errorf("a dead container's port is still taken: %v", err)
	} else {
		l.Close()
	}
	now, err := w.Sandbox("web1")
	if err != nil || now.Endpoints["lan"].IPAddress.String() != addr || len(now.Ports) != 1 {
		t.Errorf("the living container's record is %+v, %v", now, err)
	}
	next := w.attach(SandboxConfig{ContainerID: "new1", Name: "new", Mode: "lan"})
	if a := next.Endpoints["lan"].IPAddress.String(); a == addr || a == app.Endpoints["lan"].IPAddress.String() {
		t.Errorf("a living container's address was given out again: %s", a)
	}
}

// netdPid asks berth-netd for its pid.
func (w *world) netdPid() int {
	c, err := proto.Dial(w.layout.NetdSocket())
	if err != nil {
		return 0
	}
	defer c.Close()
	var resp netdproto.Response
	if c.Send(netdproto.Request{Op: netdproto.OpHello}) != nil {
		return 0
	}
	if _, err := c.Recv(&resp); err != nil {
		return 0
	}
	return resp.Pid
}

func TestNetdIsKilled(t *testing.T) {
	w := newWorld(t, Config{})
	w.create(apinet.CreateRequest{Name: "lan"})
	web := w.attach(SandboxConfig{ContainerID: "web1", Name: "web", Mode: "lan", PortBindings: bindings("|8092=80/tcp")})
	w.serveTCP(web.Key, ":80", "web")
	addr := web.Endpoints["lan"].IPAddress.String()
	pid := w.netdPid()
	if pid == 0 {
		t.Fatal("no berth-netd")
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(w.layout.NetdState()); err != nil && !os.IsNotExist(err) { // it died before it wrote it
		t.Fatal(err)
	}
	w.expect("NAT goes on without berth-netd", "", "127.0.0.1:8092", "web "+gatewayOf(web, "lan"))
	deadline := time.Now().Add(10 * time.Second)
	for next := 0; next == 0 || next == pid; next = w.netdPid() {
		if time.Now().After(deadline) {
			t.Fatal("nobody started berth-netd again")
		}
		time.Sleep(20 * time.Millisecond)
	}
	for !w.resolves(web.Key, "web", addr) { // the successor has what its predecessor wrote, then what the engine tells it
		if time.Now().After(deadline) {
			t.Fatal("the successor knows no names")
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.expect("the proxy of its successor", "", "[::1]:8092", "web "+gatewayOf(web, "lan"))
	if _, err := net.Listen("tcp4", "0.0.0.0:8092"); err == nil {
		t.Error("the successor does not hold the port")
	}
}

func TestReconcileStartsNoNetdForNobody(t *testing.T) {
	w := newWorld(t, Config{})
	w.attach(SandboxConfig{ContainerID: "plain", Name: "plain"})
	if err := os.WriteFile(w.layout.NetdState(), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.Reconcile(context.Background(), []string{"plain"}); err != nil {
		t.Fatal(err)
	}
	if w.netd.Running() {
		t.Error("berth-netd runs")
	}
	if _, err := os.Stat(w.layout.NetdState()); err == nil {
		t.Error("stale state is left over")
	}
}

func TestOpenKeepsRecordsInTheEnginesDatabase(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, Config{})
	w.Close()
	defer w.open()
	db, err := meta.Open(w.layout)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	bus := events.NewBus()
	since := time.Now()
	m, err := Open(ctx, w.layout, db, bus, w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	made, err := m.NetworkCreate(ctx, &apinet.CreateRequest{Name: "lan", Labels: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	first, err := m.Attach(ctx, SandboxConfig{ContainerID: "aaaa", Name: "a", Hostname: "a", Mode: "lan", PortBindings: bindings("127.0.0.1|=80/tcp")})
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	if m, err = Open(ctx, w.layout, db, bus, w.cfg); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Reconcile(ctx, []string{"aaaa"}); err != nil {
		t.Fatal(err)
	}
	second, err := m.Sandbox("aaaa")
	if err != nil || !reflect.DeepEqual(first, second) {
		t.Errorf("the sandbox was %+v and is %+v (%v)", first, second, err)
	}
	if n, err := m.NetworkInspect(ctx, "lan", false); err != nil || n.ID != made.ID || n.Labels["a"] != "b" || len(n.Containers) != 1 {
		t.Errorf("the network is %+v, %v", n, err)
	}
	if err := m.Detach(ctx, "aaaa"); err != nil {
		t.Error(err)
	}
	if err := m.NetworkRemove(ctx, "lan"); err != nil {
		t.Error(err)
	}
	past, _ := bus.Subscribe(ctx, since, time.Now(), nil)
	var got []string
	for _, e := range past {
		got = append(got, string(e.Action)+" "+e.Actor.Attributes["name"]+" "+e.Actor.Attributes["container"])
	}
	if want := []string{"create lan ", "connect lan aaaa", "disconnect lan aaaa", "destroy lan "}; !slices.Equal(got, want) {
		t.Errorf("events are %q", got)
	}
}
