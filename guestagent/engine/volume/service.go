//go:build linux

package volume

import (
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/berthhq/berth/guestagent/engine/meta"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"github.com/moby/moby/api/types/volume"
)

// driver is the only one of this engine.
const driver = "local"

// anonymousLabel marks volumes that were made for a container and not by a person, as docker does.
const anonymousLabel = "com.docker.volume.anonymous"

// record is what is kept of a volume.
type record struct {
	Name    string
	Created time.Time
	Labels  map[string]string
	Options map[string]string
}

// Publisher tells the world what happened (package events).
type Publisher interface {
	Publish(typ, action, id string, attrs map[string]string)
}

// Service is all volumes of an engine. Safe for concurrent use.
type Service struct {
	layout paths.Layout
	store  *meta.Store[record]
	bus    Publisher
	uid    int // the machine's ids of containers' root
	gid    int

	mu      sync.Mutex
	volumes map[string]*vol
}

// vol is a volume in memory; Service.mu guards it, but for fill.
type vol struct {
	rec    record
	users  map[string]bool // container IDs
	mounts int             // how many running containers have it mounted
	fill   sync.Mutex      // held while it is filled from an image
}

// New makes the service with the volumes that the database knows.
func New(layout paths.Layout, db *meta.DB, bus Publisher) (*Service, error) {
	store := meta.NewStore[record](db, "volumes")
	s := &Service{layout: layout, store: store, bus: bus, volumes: map[string]*vol{}}
	all, err := store.All()
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		s.volumes[r.Name] = &vol{rec: r, users: map[string]bool{}}
	}
	return s, nil
}

// SetRoot tells whom on the machine containers' root is; nothing said, it is the machine's.
func (s *Service) SetRoot(uid, gid int) { s.uid, s.gid = uid, gid }

func (s *Service) get(name string) (*vol, error) {
	if v := s.volumes[name]; v != nil {
		return v, nil
	}
	return nil, errdefs.NotFound("get %s: no such volume", name)
}

func (s *Service) data(name string) string { return s.layout.VolumeData(name) }

// describe gives a volume in the API's words.
func (s *Service) describe(v *vol) volume.Volume {
	out := volume.Volume{
		Name: v.rec.Name, Driver: driver, Mountpoint: s.data(v.rec.Name), Scope: "local",
		CreatedAt: v.rec.Created.Format(time.RFC3339), Labels: v.rec.Labels, Options: v.rec.Options,
	}
	return out
}

// makeDir makes a volume's directory. Others may walk into the parent, never list it.
func (s *Service) makeDir(name string) error {
	if err := os.MkdirAll(filepath.Dir(s.data(name)), 0o701); err != nil {
		return errdefs.System("creating volume %s: %w", name, err)
	}
	if err := os.Mkdir(s.data(name), 0o755); err != nil && !os.IsExist(err) {
		return errdefs.System("creating volume %s: %w", name, err)
	}
	if err := os.Chown(s.data(name), s.uid, s.gid); err != nil {
		return errdefs.System("creating volume %s: %w", name, err)
	}
	return os.Chmod(s.data(name), 0o755) // whatever the umask is
}
