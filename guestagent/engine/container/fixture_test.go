//go:build linux

package container

import (
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/image"
	"github.com/berthhq/berth/guestagent/engine/network"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/moby/moby/api/types/container"
	apinet "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/volume"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// patience is how long a test waits for what happens by itself.
const patience = 10 * time.Second

// world is a Service among fakes of everything it works with. The fakes outlive the Service, as the supervisor, the
// network and the disk outlive an engine.
type world struct {
	*Service
	t    *testing.T
	rt   *fakeRuntime
	nets *fakeNetworks
	vols *fakeVolumes
	imgs *fakeImages
	bus  *fakeBus
	deps Deps
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, rt: newFakeRuntime(), bus: &fakeBus{},
		nets: &fakeNetworks{boxes: map[string]*network.Sandbox{}},
		vols: &fakeVolumes{dir: t.TempDir(), users: map[string][]string{}, mounts: map[string]int{}},
		imgs: &fakeImages{root: t.TempDir(), prepared: map[string]bool{}},
	}
	w.deps = Deps{Images: w.imgs, Networks: w.nets, Volumes: w.vols, Runtime: w.rt, Bus: w.bus,
		Durable: newFakeStore(), Volatile: newFakeStore(), Layout: paths.For(t.TempDir()),
		Defaults: Defaults{LogConfig: container.LogConfig{Type: "json-file"}, CgroupNS: "private"}}
	w.boot()
	t.Cleanup(func() { w.Service.Close() })
	return w
}

// boot starts an engine on what there is.
func (w *world) boot() {
	w.t.Helper()
	s, err := New(w.deps)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Service = s
	ready := make(chan struct{})
	s.Run(func() { close(ready) })
	select {
	case <-ready:
	case <-time.After(patience):
		w.t.Fatal("the service is not ready")
	}
}

// reboot ends the engine and starts the next; while is what happens between the two.
func (w *world) reboot(while func()) {
	w.t.Helper()
	w.Service.Close()
	while()
	w.boot()
}

// create makes a container of a command that stays.
func (w *world) create(name string, change ...func(*container.CreateRequest)) string {
	w.t.Helper()
	req := request(change...)
	resp, err := w.ContainerCreate(context.Background(), name, nil, req)
	if err != nil {
		w.t.Fatalf("create %s: %v", name, err)
	}
	return resp.ID
}

func request(change ...func(*container.CreateRequest)) *container.CreateRequest {
	req := &container.CreateRequest{Config: &container.Config{Image: "busybox", Cmd: []string{"sleep", "9"}}, HostConfig: &container.HostConfig{}}
	for _, c := range change {
		c(req)
	}
	return req
}

func (w *world) run(name string, change ...func(*container.CreateRequest)) string {
	w.t.Helper()
	id := w.create(name, change...)
	if err := w.ContainerStart(context.Background(), id); err != nil {
		w.t.Fatalf("start %s: %v", name, err)
	}
	return id
}

func autoRemove(r *container.CreateRequest) { r.HostConfig.AutoRemove = true }

func restarts(name container.RestartPolicyMode, most int) func(*container.CreateRequest) {
	return func(r *container.CreateRequest) {
		r.HostConfig.RestartPolicy = container.RestartPolicy{Name: name, MaximumRetryCount: most}
	}
}

func (w *world) record(ref string) Record {
	w.t.Helper()
	e, err := w.find(ref)
	if err != nil {
		w.t.Fatal(err)
	}
	return e.snapshot()
}

// eventually waits for what happens by itself.
func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func (w *world) reaches(ref string, st container.ContainerState) {
	w.t.Helper()
	w.eventually(ref+" becomes "+string(st), func() bool {
		e, err := w.find(ref)
		if err != nil {
			return false
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.rec.State.Status == st && !e.ending
	})
}

func (w *world) vanishes(id string) {
	w.t.Helper()
	w.eventually(id[:12]+" is removed", func() bool {
		_, err := w.find(id)
		_, disk := os.Stat(w.Layout.Container(id))
		return errdefs.KindOf(err) == errdefs.KindNotFound && os.IsNotExist(disk)
	})
}

func wantKind(t *testing.T, err error, kind errdefs.Kind, message string) {
	t.Helper()
	if err == nil || errdefs.KindOf(err) != kind || err.Error() != message {
		t.Errorf("error %v (kind %v)\n want %s (kind %v)", err, errdefs.KindOf(err), message, kind)
	}
}

type fakeStore struct {
	mu   sync.Mutex
	recs map[string]Record
	fail error
}

func newFakeStore() *fakeStore { return &fakeStore{recs: map[string]Record{}} }

func (f *fakeStore) Put(key string, r Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == nil {
		f.recs[key] = r
	}
	return f.fail
}

func (f *fakeStore) Delete(key string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.recs, key)
	return nil
}

func (f *fakeStore) All() (map[string]Record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.recs), nil
}

func (f *fakeStore) get(key string) (Record, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.recs[key]
	return r, ok
}

type fakeBus struct {
	mu   sync.Mutex
	seen []string // "action name"
	last map[string]string
}

func (f *fakeBus) Publish(_, action, _ string, attrs map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, action)
	f.last = attrs
}

func (f *fakeBus) actions() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

func (f *fakeBus) count(action string) (n int) {
	for _, a := range f.actions() {
		if a == action {
			n++
		}
	}
	return n
}

type fakeImages struct {
	root string

	mu       sync.Mutex
	config   image.Image
	prepared map[string]bool
	drafts   []image.Draft
	fail     error
}

func (f *fakeImages) Resolve(_ context.Context, ref string, _ *ocispec.Platform) (*image.Image, error) {
	if ref == "missing" {
		return nil, errdefs.NotFound("No such image: missing:latest")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	img := f.config
	img.ID, img.Ref = "sha256:"+ref, ref
	return &img, nil
}

func (f *fakeImages) Hold(_ context.Context, _ *image.Image, id, dir string, n int) error { return nil }
func (f *fakeImages) MountReadOnly(context.Context, *image.Image) (string, func(), error) {
	return "/image", func() {}, nil
}
func (f *fakeImages) Prepare(_ context.Context, _ *image.Image, id, dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return f.fail
	}
	f.prepared[id] = true
	return os.Mkdir(filepath.Join(dir, "upper"), 0o755) // as the real one does
}

func (f *fakeImages) Mounts(context.Context, *image.Image, string, string) ([]mount.Mount, error) {
	return []mount.Mount{{Type: "bind", Source: f.root, Options: []string{"rbind", "rw"}}}, nil
}

func (f *fakeImages) Release(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.prepared, id)
	return nil
}

func (f *fakeImages) WriteDiff(context.Context, *image.Image, string, func(string) bool, io.Writer) error {
	return nil
}

func (f *fakeImages) Make(ctx context.Context, d image.Draft) (string, error) {
	f.mu.Lock()
	f.drafts = append(f.drafts, d)
	f.mu.Unlock()
	return "sha256:made", d.Layer(ctx, io.Discard)
}

func (f *fakeImages) Usage(context.Context, string, string) (int64, int64, error) {
	return 100, 1000, nil
}

func (f *fakeImages) held() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.prepared)
}

type fakeNetworks struct {
	mu    sync.Mutex
	boxes map[string]*network.Sandbox
	last  network.SandboxConfig
	fail  error
}

func (f *fakeNetworks) Attach(_ context.Context, cfg network.SandboxConfig) (*network.Sandbox, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return nil, f.fail
	}
	f.last = cfg
	sb := &network.Sandbox{Key: "/run/netns/" + cfg.ContainerID, Endpoints: map[string]*apinet.EndpointSettings{cfg.Mode: {IPAddress: linkAddress}}, Ports: cfg.PortBindings}
	f.boxes[cfg.ContainerID] = sb
	return sb, nil
}

func (f *fakeNetworks) Detach(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.boxes, id)
	return nil
}

func (f *fakeNetworks) Connect(_ context.Context, id, net string, want *apinet.EndpointSettings, _ network.SandboxConfig) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.boxes[id].Endpoints[net] = want
	return f.fail
}

func (f *fakeNetworks) Disconnect(_ context.Context, id, net string, _ bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.boxes[id].Endpoints, net)
	return f.fail
}

func (f *fakeNetworks) HoldAddresses(string) func() { return func() {} }

func (f *fakeNetworks) Rename(context.Context, string, string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fail
}

func (f *fakeNetworks) Sandbox(id string) (*network.Sandbox, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if sb := f.boxes[id]; sb != nil {
		return sb, nil
	}
	return nil, errdefs.NotFound("container %s has no network", id)
}

func (f *fakeNetworks) NetworkID(ref string) string { return "id of " + ref }

func (f *fakeNetworks) Reconcile(_ context.Context, live []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.boxes, func(id string, _ *network.Sandbox) bool { return !slices.Contains(live, id) })
	return nil
}

func (f *fakeNetworks) attached() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.boxes)
}

type fakeVolumes struct {
	dir string

	mu     sync.Mutex
	users  map[string][]string // of each volume that exists
	mounts map[string]int
	copied []string
	fail   error // of CopyUp
}

func (f *fakeVolumes) Create(_ context.Context, req *volume.CreateRequest) (*volume.Volume, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.users[req.Name]; !ok {
		f.users[req.Name] = nil
	}
	at := filepath.Join(f.dir, req.Name)
	return &volume.Volume{Name: req.Name, Driver: "local", Mountpoint: at}, os.MkdirAll(at, 0o755)
}

func (f *fakeVolumes) Acquire(name, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.users[name]; !ok {
		return errdefs.NotFound("no such volume: %s", name)
	}
	if !slices.Contains(f.users[name], id) {
		f.users[name] = append(f.users[name], id)
	}
	return nil
}

func (f *fakeVolumes) Release(id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, ids := range f.users {
		f.users[name] = slices.DeleteFunc(ids, func(x string) bool { return x == id })
	}
	return nil
}

func (f *fakeVolumes) Mount(name string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mounts[name]++
	return filepath.Join(f.dir, name), nil
}

func (f *fakeVolumes) Unmount(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mounts[name]--
	return nil
}

func (f *fakeVolumes) CopyUp(name, sub string, from *os.File) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	list, err := from.Readdirnames(-1)
	if err != nil {
		return err
	}
	f.copied = append(f.copied, list...)
	return f.fail
}

func (f *fakeVolumes) Remove(_ context.Context, name string, _ bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.users[name]) > 0 {
		return errdefs.Conflict("remove %s: volume is in use", name)
	}
	delete(f.users, name)
	return nil
}

func (f *fakeVolumes) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.users))
}

// mounted is how often volumes are mounted.
func (f *fakeVolumes) mounted() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.mounts {
		n += m
	}
	return n
}
