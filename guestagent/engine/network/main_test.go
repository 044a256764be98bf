//go:build linux

package network

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/engine/network/netd"
	"github.com/berthhq/berth/guestagent/engine/network/netns"
	"github.com/berthhq/berth/internal/paths"
)

// The test binary runs in mount and network namespaces of its own, and stands in for berth-netd.
const childEnv = "BERTH_NETWORK_TEST_CHILD"

func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "-run":
		os.Exit(runNetd(paths.Layout{Run: os.Args[2]}))
	case os.Getenv(childEnv) != "":
		for _, step := range []error{
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), exec.Command("ip", "link", "set", "lo", "up").Run(),
		} {
			if step != nil {
				panic(step)
			}
		}
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS}
	if err := cmd.Start(); err != nil {
		println("SKIP: needs root and namespaces:", err.Error())
		return
	}
	if cmd.Wait() != nil {
		os.Exit(1)
	}
}

func runNetd(l paths.Layout) int {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	resolv := filepath.Join(l.Run, "resolv.conf")
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := netd.Run(ctx, netd.Config{Socket: l.NetdSocket(), State: l.NetdState(), ResolvConf: resolv, Log: log}); err != nil {
		println(err.Error())
		return 1
	}
	return 0
}

// memStore is a store in memory that keeps what a database would: JSON.
type memStore[T any] struct {
	mu sync.Mutex
	m  map[string][]byte
}

func newStore[T any]() *memStore[T] { return &memStore[T]{m: map[string][]byte{}} }

func (s *memStore[T]) Put(key string, v T) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, err := json.Marshal(v)
	s.m[key] = data
	return err
}

func (s *memStore[T]) Delete(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, key)
	return nil
}

func (s *memStore[T]) All() (map[string]T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]T{}
	for k, data := range s.m {
		var v T
		if err := json.Unmarshal(data, &v); err != nil {
			return nil, err
		}
		out[k] = v
	}
	return out, nil
}

// world is a machine for one test: an engine's networks, and a neighbour on another link.
type world struct {
	*Manager
	t         testing.TB
	layout    paths.Layout
	cfg       Config
	nets      *memStore[networkRecord]
	boxes     *memStore[sandboxRecord]
	neighbour string // path of its namespace
}

// Addresses of the link to the neighbour.
const (
	hostAddr      = "198.51.100.1"
	neighbourAddr = "198.51.100.2"
)

func newWorld(t testing.TB, cfg Config) *world {
	t.Helper()
	w := newMachine(t, cfg)
	w.addNeighbour()
	w.open()
	t.Cleanup(w.end)
	return w
}

// newWorld2 is a second engine on the same machine.
func newWorld2(first *world, cfg Config) *world {
	first.t.Helper()
	w := newMachine(first.t, cfg)
	w.neighbour = first.neighbour
	w.open()
	first.t.Cleanup(w.end)
	return w
}

func newMachine(t testing.TB, cfg Config) *world {
	t.Helper()
	root, err := os.MkdirTemp("", "bn")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, layout: paths.For(root), cfg: cfg, nets: newStore[networkRecord](), boxes: newStore[sandboxRecord]()}
	w.cfg.NetdPath = "/proc/self/exe"
	if err := os.MkdirAll(w.layout.Run, 0o755); err != nil {
		t.Fatal(err)
	}
	if w.cfg.HostResolv == "" {
		w.cfg.HostResolv = filepath.Join(w.layout.Run, "resolv.conf")
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	return w
}

// open starts a manager on the world's state, as an engine that comes (back) up.
func (w *world) open() {
	w.t.Helper()
	m, err := open(context.Background(), w.layout, w.cfg, w.nets, w.boxes, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Manager = m
}

// end takes everything away and checks that it is gone.
func (w *world) end() {
	ctx := context.Background()
	if err := w.Reconcile(ctx, nil); err != nil {
		w.t.Error(err)
	}
	if err := w.netd.Stop(ctx); err != nil {
		w.t.Error(err)
	}
	for _, n := range w.networks {
		if n.rec.Driver == driverBridge {
			if err := netns.DeleteLink(n.bridge()); err != nil {
				w.t.Error(err)
			}
		}
	}
	if w.rules != nil {
		if err := w.rules.Delete(); err != nil {
			w.t.Error(err)
		}
	}
	w.Close()
	if left, _ := os.ReadDir(w.layout.NetNS()); len(left) > 0 {
		w.t.Errorf("namespaces are left over: %v", left)
	}
}

func (w *world) addNeighbour() {
	w.t.Helper()
	w.neighbour = filepath.Join(w.layout.Run, "neighbour")
	if err := netns.Create(w.neighbour, nil); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := netns.Delete(w.neighbour); err != nil {
			w.t.Error(err)
		}
		_ = netns.DeleteLink("up0")
	})
	w.ip("link", "add", "up0", "type", "veth", "peer", "name", "up1")
	w.ip("addr", "add", hostAddr+"/24", "dev", "up0")
	w.ip("link", "set", "up0", "up")
	w.ip("link", "set", "up1", "netns", w.neighbour)
	w.in(w.neighbour, func() error {
		for _, args := range [][]string{{"addr", "add", neighbourAddr + "/24", "dev", "up1"}, {"link", "set", "up1", "up"}, {"link", "set", "lo", "up"}} {
			w.ip(args...)
		}
		return nil
	})
}

func (w *world) ip(args ...string) {
	w.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		w.t.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

// in runs fn in a namespace and fails the test with it.
func (w *world) in(ns string, fn func() error) {
	w.t.Helper()
	if err := netns.Do(ns, fn); err != nil {
		w.t.Error(err)
	}
}
