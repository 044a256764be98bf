//go:build linux

package volume

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/volume"
)

// validName is docker's rule.
var validName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// maxName is the longest name of a directory.
const maxName = 255

// Create makes a volume, or gives the one of this name where its options are the same. Without a name it is anonymous.
// Errors: Invalid, Conflict where a volume of other options has the name, NotFound for a driver that is not here.
func (s *Service) Create(_ context.Context, req *volume.CreateRequest) (*volume.Volume, error) {
	if req.Driver != "" && req.Driver != driver {
		return nil, errdefs.NotFound("create %s: error looking up volume plugin %s: plugin %q not found", req.Name, req.Driver, req.Driver)
	}
	if req.ClusterVolumeSpec != nil {
		return nil, errdefs.Invalid("cluster volumes need a swarm, which this engine is not part of")
	}
	r := record{Name: req.Name, Created: time.Now().UTC(), Labels: maps.Clone(req.Labels), Options: req.DriverOpts}
	if r.Name == "" {
		var b [32]byte
		if _, err := rand.Read(b[:]); err != nil {
			return nil, errdefs.System("naming a volume: %w", err)
		}
		r.Name = hex.EncodeToString(b[:])
		if r.Labels == nil {
			r.Labels = map[string]string{}
		}
		r.Labels[anonymousLabel] = ""
	}
	if !validName.MatchString(r.Name) || len(r.Name) > maxName {
		return nil, errdefs.Invalid("create %s: %q includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path", r.Name, r.Name)
	}
	if err := checkOptions(r.Options); err != nil {
		return nil, errdefs.Invalid("create %s: %w", r.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.volumes[r.Name]; v != nil {
		if len(r.Options) > 0 && !maps.Equal(r.Options, v.rec.Options) {
			return nil, errdefs.Conflict("create %s: conflict: volume %q already exists with other options", r.Name, r.Name)
		}
		out := s.describe(v)
		return &out, nil
	}
	// The directory before the record: a crash between the two leaves an empty directory that the next creation takes.
	if err := s.makeDir(r.Name); err != nil {
		return nil, err
	}
	if err := s.store.Put(r.Name, r); err != nil {
		os.RemoveAll(filepath.Dir(s.data(r.Name)))
		return nil, err
	}
	v := &vol{rec: r, users: map[string]bool{}}
	s.volumes[r.Name] = v
	s.bus.Publish("volume", "create", r.Name, map[string]string{"driver": driver})
	out := s.describe(v)
	return &out, nil
}
