package vm

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/guestlink"
	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/qemu"
	"github.com/berthhq/berth/internal/agentapi"
	"github.com/berthhq/berth/internal/paths"
	"github.com/berthhq/berth/vmimage/manifest"
	"github.com/moby/moby/client"
)

// bootBound is how long a boot may take: seconds on a quiet machine, much more where many tests run beside it.
const bootBound = 3 * time.Minute

// image is the directory of the image that is tested.
func image(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a virtual machine takes seconds to boot")
	}
	dir := os.Getenv("BERTH_VM_IMAGE")
	if dir == "" {
		dir = filepath.Join("..", "..", "bin", "vm", runtime.GOARCH)
	}
	if _, err := os.Stat(filepath.Join(dir, manifest.Name)); err != nil {
		t.Skipf("no image of the virtual machine (make vmimage): %v", err)
	}
	if _, err := new(qemu.Driver).Accelerators(runtime.GOARCH); err != nil {
		t.Skip(err)
	}
	return dir
}

// newDisk makes a sparse file for a data disk.
func newDisk(t testing.TB, size int64) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "data.img")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return file
}

// guest is a machine that runs.
type guest struct {
	testing.TB
	machine vm.Machine
	link    *guestlink.Client
	welcome agentapi.Welcome
	api     *client.Client
	took    time.Duration // from the start of QEMU to the handshake
	stop    func()

	mu     sync.Mutex
	events []agentapi.Event
}

// boot starts a machine with the disks and waits for its handshake.
func boot(t testing.TB, disks ...string) *guest {
	t.Helper()
	g := &guest{TB: t}
	config, files := describe(t, image(t), disks)
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), bootBound)
	defer cancel()
	driver := &qemu.Driver{Log: func(line string) { t.Log(line) }}
	m, err := driver.Start(ctx, config, files)
	for _, f := range append(files.Disks, files.Kernel, files.Initrd) {
		f.Close() // QEMU's locks on them live as long as any copy of the descriptor
	}
	if err != nil {
		t.Fatal(err)
	}
	g.machine = m
	up := make(chan agentapi.Welcome, 16)
	g.link = &guestlink.Client{Guest: m, Up: func(w agentapi.Welcome) { up <- w }, Event: g.note}
	run, end := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.link.Run(run) }()
	g.stop = sync.OnceFunc(func() {
		end()
		<-done
		_ = m.Kill(context.Background())
		_ = m.Close()
		if t.Failed() {
			b, _ := os.ReadFile(paths.Machine{Dir: config.Dir}.Console())
			t.Logf("console:\n%s", b)
		}
	})
	t.Cleanup(g.stop)
	select {
	case g.welcome = <-up:
		g.took = time.Since(began)
	case err := <-done:
		t.Fatalf("the link ended: %v", err)
	case <-m.Done():
		t.Fatalf("the machine ended: %+v", m.Exit())
	case <-ctx.Done():
		t.Fatalf("no handshake after %s", bootBound)
	}
	g.dialAPI(m)
	return g
}

// describe is the machine of a test.
func describe(t testing.TB, dir string, disks []string) (vm.Config, vm.Files) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, manifest.Name))
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Read(dir, manifest.Digest(b))
	if err != nil {
		t.Fatal(err)
	}
	open := func(f *os.File, err error) *os.File {
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	own := t.TempDir()
	c := vm.Config{Name: "test", Dir: own, Arch: m.Arch, CPUs: 1, Memory: 512 << 20, Accelerator: vm.Emulation}
	files := vm.Files{Kernel: open(m.Open(dir, manifest.Kernel)), Initrd: open(m.Open(dir, manifest.Initrd))}
	for i, d := range disks {
		c.Disks = append(c.Disks, vm.Disk{Name: fmt.Sprintf("disk%d", i)})
		files.Disks = append(files.Disks, open(os.OpenFile(d, os.O_RDWR, 0)))
	}
	return c, files
}

func (g *guest) dialAPI(d transport.Dialer) {
	g.Helper()
	api, err := client.New(client.WithHost("http://guest"), client.WithDialContext(func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.Dial(ctx, agentapi.PortDocker)
	}))
	if err != nil {
		g.Fatal(err)
	}
	g.api = api
}

func (g *guest) note(e agentapi.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.events = append(g.events, e)
}

// heard tells whether the guest has told of something whose text holds what.
func (g *guest) heard(kind agentapi.EventKind, what string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.events {
		if e.Kind == kind && strings.Contains(e.Message, what) {
			return true
		}
	}
	return false
}

// ctx is for one step.
func (g *guest) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), bootBound)
	g.Cleanup(cancel)
	return ctx
}

// call asks the guest; it must answer.
func call[T any](g *guest, op agentapi.Op, in any) T {
	g.Helper()
	var out T
	if err := g.link.Call(g.ctx(), op, in, &out); err != nil {
		g.Fatalf("%s: %v", op, err)
	}
	return out
}

// ready waits for the engine.
func (g *guest) ready() {
	g.Helper()
	if _, err := g.api.Ping(g.ctx(), client.PingOptions{}); err != nil {
		g.Fatalf("ping: %v", err)
	}
}
