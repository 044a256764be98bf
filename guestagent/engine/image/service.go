//go:build linux

package image

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/berthhq/berth/guestagent/engine/image/durable"
	"github.com/berthhq/berth/guestagent/engine/image/erofssnap"
	"github.com/berthhq/berth/guestagent/engine/image/registry"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/core/metadata"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/platforms"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	bolt "go.etcd.io/bbolt"
)

// namespace is the one namespace of containerd's metadata that berth uses.
const namespace = "berth"

// Config is what a person may set. The zero value is docker's default.
type Config struct {
	Mirrors   []string                              // registry-mirrors, for docker.io
	Insecure  []string                              // insecure-registries: host[:port] or CIDR
	CertsDirs []string                              // searched in order; layout.CertsDir() is always the first
	Proxy     func(*http.Request) (*url.URL, error) // nil: HTTP_PROXY and its like
	UserAgent string
	// MaxConcurrentDownloads is how many layers one pull fetches at a time; 0 is 3.
	MaxConcurrentDownloads int
	// MaxConcurrentUploads is how many layers one push sends at a time; 0 is 5.
	MaxConcurrentUploads int
	// MaxLayerBytes bounds one unpacked layer; 0 is 64 GiB.
	MaxLayerBytes int64
	// Platform is what "no platform given" means; nil is this machine's.
	Platform *ocispec.Platform
	// Retry is the pause before the first new attempt at a broken transfer, growing with each; 0 is one second.
	Retry time.Duration
	// Stall is how long a transfer may stand still before it counts as broken; 0 is one minute.
	Stall time.Duration
	// Running says whether a container runs, whose image cannot be removed by force either; nil: none does.
	Running func(containerID string) bool
	// Driver is what a new state directory keeps layers as, DriverOverlay or DriverErofs; "" is what was chosen for it
	// before, or DriverOverlay.
	Driver string
	// GCDelay is the pause between a removal and garbage collection, so that many removals share one; 0 is two seconds.
	GCDelay time.Duration
}

func (c Config) withDefaults() Config {
	if c.MaxConcurrentDownloads <= 0 {
		c.MaxConcurrentDownloads = 3
	}
	if c.MaxConcurrentUploads <= 0 {
		c.MaxConcurrentUploads = 5
	}
	if c.MaxLayerBytes <= 0 {
		c.MaxLayerBytes = 64 << 30
	}
	if c.Retry <= 0 {
		c.Retry = time.Second
	}
	if c.Stall <= 0 {
		c.Stall = time.Minute
	}
	if c.GCDelay <= 0 {
		c.GCDelay = 2 * time.Second
	}
	if c.Platform == nil {
		p := platforms.DefaultSpec()
		c.Platform = &p
	}
	return c
}

// Service keeps the images of one state directory. All methods are safe for use by several goroutines.
//
// Lock order: chain lock, blob lock, slots, holds.mu. No slot is held while waiting for a lock.
type Service struct {
	cfg      Config
	layout   paths.Layout
	registry *registry.Client

	bolt    *bolt.DB
	db      *metadata.DB
	content content.Store
	sn      snapshots.Snapshotter
	driver  string
	erofs   *erofssnap.Snapshotter // behind sn, where that is the driver
	images  images.Store
	leases  leases.Manager

	locks    *keyLock
	unpacks  chan struct{} // one token a layer that is unpacked from the store
	resolved *cache
	listed   *lru.Cache[digest.Digest, *parts] // of this machine's platform, by the digest of what a name points at
	holds    *holds
	gc       *collector
	pulls    *pullLeases
	unsynced *durable.Note

	pruning atomic.Bool

	usersMu sync.RWMutex
	users   func(imageID string) []string
}

// Open opens, or makes, the image store below layout.Images(). Only one Service may have it open; a second one fails
// after a second. Errors: KindUnavailable where it is in use, else what the file system says.
func Open(ctx context.Context, layout paths.Layout, cfg Config) (*Service, error) {
	cfg = cfg.withDefaults()
	rc, err := registry.NewClient(registry.Config{
		Mirrors: cfg.Mirrors, Insecure: cfg.Insecure, Proxy: cfg.Proxy, UserAgent: cfg.UserAgent,
		CertsDirs: append([]string{layout.CertsDir()}, cfg.CertsDirs...),
	})
	if err != nil {
		return nil, errdefs.Invalid("%w", err)
	}
	listed, err := lru.New[digest.Digest, *parts](maxListed)
	if err != nil {
		return nil, fmt.Errorf("opening the image store: %w", err)
	}
	s := &Service{
		listed: listed,
		cfg:    cfg, layout: layout, registry: rc,
		locks: newKeyLock(), resolved: newCache(), pulls: newPullLeases(), unsynced: durable.Open(layout.Images()),
		unpacks: make(chan struct{}, max(2, runtime.NumCPU())),
	}
	if err := s.openStores(ctx); err != nil {
		return nil, err
	}
	s.holds = newHolds(layout)
	s.gc = newCollector(s, cfg.GCDelay)
	err = s.dropStaleLeases(ctx)
	if err == nil {
		err = s.dropMounts()
	}
	if err == nil {
		err = s.dropSuspects(ctx)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Service) openStores(ctx context.Context) (err error) {
	root := s.layout.Images()
	if err := os.MkdirAll(root, 0o700); err != nil {
		return fmt.Errorf("image store: %w", err)
	}
	blobs, err := contentlocal.NewStore(filepath.Join(root, "content"))
	if err != nil {
		return fmt.Errorf("content store: %w", err)
	}
	s.bolt, err = bolt.Open(filepath.Join(root, "metadata.db"), 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return errdefs.Unavailable("image store %s is in use or unreadable: %w", root, err)
	}
	if s.driver, err = chooseDriver(root, s.cfg.Driver); err != nil {
		_ = s.bolt.Close()
		return err
	}
	sn, images, err := openSnapshotter(root, s.driver)
	if err == nil {
		err = recordDriver(root, s.driver)
	}
	if err != nil {
		_ = s.bolt.Close()
		return fmt.Errorf("storage-driver %s: %w", s.driver, err)
	}
	s.erofs = images
	s.db = metadata.NewDB(s.bolt, blobs, map[string]snapshots.Snapshotter{s.driver: sn})
	if err := s.db.Init(s.ctx(ctx)); err != nil {
		_ = sn.Close()
		_ = s.bolt.Close()
		return fmt.Errorf("image metadata: %w", err)
	}
	s.content, s.sn = s.db.ContentStore(), s.db.Snapshotter(s.driver)
	s.images, s.leases = metadata.NewImageStore(s.db), metadata.NewLeaseManager(s.db)
	return nil
}

// Close ends background work and closes the stores. Operations under way must have ended.
func (s *Service) Close() error {
	s.gc.stop()
	s.unsynced.Wait()
	err := s.sn.Close()
	if err2 := s.bolt.Close(); err == nil {
		err = err2
	}
	return err
}

// SetUsers tells the service how to learn which containers use an image: users returns their IDs. Until it is set no
// image is in use.
func (s *Service) SetUsers(users func(imageID string) []string) {
	s.usersMu.Lock()
	defer s.usersMu.Unlock()
	s.users = users
}

func (s *Service) usersOf(imageID string) []string {
	s.usersMu.RLock()
	users := s.users
	s.usersMu.RUnlock()
	if users == nil {
		return nil
	}
	return users(imageID)
}

// ctx puts the namespace of containerd's metadata into a context.
func (s *Service) ctx(ctx context.Context) context.Context {
	return namespaces.WithNamespace(ctx, namespace)
}

// matcher is the platforms that satisfy p, best first; nil means the service's own.
func (s *Service) matcher(p *ocispec.Platform) platforms.MatchComparer {
	if p == nil {
		p = s.cfg.Platform
		if platforms.Format(platforms.Normalize(*p)) == platforms.Format(platforms.Normalize(platforms.DefaultSpec())) {
			return platforms.Default()
		}
	}
	return platforms.Only(platforms.Normalize(*p))
}

// platformName is a platform as docker writes it.
func (s *Service) platformName(p *ocispec.Platform) string {
	if p == nil {
		p = s.cfg.Platform
	}
	return platforms.Format(platforms.Normalize(*p))
}
