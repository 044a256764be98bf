//go:build linux

package container

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"time"

	"github.com/berthhq/berth/guestagent/engine/image"
	enginenet "github.com/berthhq/berth/guestagent/engine/network"
	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ContainerCreate makes a container and starts nothing. Either all of it exists afterwards or nothing does. Errors:
// NotFound where the image is not here, Conflict where the name is taken, Invalid.
func (s *Service) ContainerCreate(ctx context.Context, name string, platform *ocispec.Platform, req *container.CreateRequest) (container.CreateResponse, error) {
	none := container.CreateResponse{}
	if req == nil || req.Config == nil {
		return none, errdefs.Invalid("config cannot be empty in order to create a container")
	}
	if name != "" {
		if err := checkName(name); err != nil {
			return none, err
		}
		if name[0] == '/' {
			name = name[1:]
		}
	}
	host := req.HostConfig
	if host == nil {
		host = &container.HostConfig{}
	}
	warnings, err := s.validate(req.Config, host, req.NetworkingConfig)
	if err != nil {
		return none, err
	}
	if req.Image == "" {
		return none, errdefs.Invalid("no command specified") // docker's word for it: there is nothing that could run
	}
	img, err := s.Images.Resolve(ctx, req.Image, platform)
	if err != nil {
		return none, err
	}
	e, err := s.assemble(img, req, host)
	if err != nil {
		return none, err
	}
	<-e.turn // whoever finds it by its name waits until it is complete
	defer func() { e.turn <- struct{}{} }()
	if err := s.claim(e, name); err != nil {
		return none, err
	}
	if err := s.furnish(ctx, e); err != nil {
		s.undoCreate(e)
		return none, err
	}
	r := e.snapshot()
	s.publish(&r, "create")
	return container.CreateResponse{ID: r.ID, Warnings: warnings}, nil
}

// assemble makes the record of a container to be, with all that follows from the image and the defaults.
func (s *Service) assemble(img *image.Image, req *container.CreateRequest, host *container.HostConfig) (*entry, error) {
	id, err := newID()
	if err != nil {
		return nil, err
	}
	cfg, h := *req.Config, *host
	mergeImage(&cfg, &img.Config.Config)
	s.mergeDefaults(&h)
	s.pinShared(&h)
	runtime.HidePaths(&h)
	r := Record{ID: id, Created: time.Now().UTC(), Config: &cfg, Host: &h, Image: img}
	r.State.turn(container.StateCreated)
	if r.Path, r.Args, err = command(&cfg); err != nil {
		return nil, err
	}
	if cfg.Hostname == "" && !h.NetworkMode.IsHost() && !h.UTSMode.IsHost() {
		cfg.Hostname = id[:12]
	}
	if cfg.Hostname == "" {
		cfg.Hostname, _ = os.Hostname()
	}
	if r.Networks, err = endpointsOf(req.NetworkingConfig, &h); err != nil {
		return nil, err
	}
	if err := s.resolveLinks(&r); err != nil {
		return nil, err
	}
	if r.Mounts, err = s.mountsOf(&r); err != nil {
		return nil, err
	}
	return newEntry(r), nil
}

// endpointsOf are the settings asked for by network. Clients that were told of no network call their own "default": that
// is the network of the container's mode, and known by that network's name from here on.
func endpointsOf(n *network.NetworkingConfig, h *container.HostConfig) (map[string]*network.EndpointSettings, error) {
	nets := map[string]*network.EndpointSettings{}
	if n == nil {
		return nets, nil
	}
	for name, ep := range n.EndpointsConfig {
		if ep == nil {
			ep = &network.EndpointSettings{}
		}
		if err := enginenet.CheckEndpoint(ep); err != nil {
			return nil, err
		}
		if len(ep.MacAddress) > 0 && (h.NetworkMode.IsHost() || h.NetworkMode.IsContainer()) {
			return nil, errdefs.Invalid("conflicting options: mac-address and the network mode")
		}
		if name == network.NetworkDefault {
			name = string(h.NetworkMode)
		}
		nets[name] = ep
	}
	return nets, nil
}

// furnish makes what a container has on disk: its directory, its writable layer, its volumes, its record.
func (s *Service) furnish(ctx context.Context, e *entry) error {
	r := e.snapshot()
	dir := s.Layout.Container(r.ID)
	if err := os.MkdirAll(dir, 0o710); err != nil {
		return errdefs.System("creating the directory of container %s: %w", r.Name, err)
	}
	if err := s.Images.Prepare(ctx, r.Image, r.ID, dir); err != nil {
		return err
	}
	if err := markDocker(dir); err != nil {
		return errdefs.System("preparing container %s: %w", r.Name, err)
	}
	if err := s.announceVolumes(&r); err != nil {
		return err
	}
	e.mu.Lock()
	e.rec.Mounts = r.Mounts
	e.mu.Unlock()
	if err := s.makeVolumes(ctx, &r); err != nil {
		return err
	}
	return s.change(e, func(rec *Record) { rec.Mounts = r.Mounts })
}

// markDocker puts /.dockerenv into the writable layer: programs look for it to learn that they run in a container.
func markDocker(dir string) error {
	upper, err := os.OpenRoot(filepath.Join(dir, "upper"))
	if err != nil {
		return err
	}
	defer upper.Close()
	return upper.WriteFile(".dockerenv", nil, 0o755)
}

// undoCreate takes back a creation that failed. Its errors could tell nobody more than the failure itself does; what
// it leaves is found at the next start of the engine.
func (s *Service) undoCreate(e *entry) {
	r := e.snapshot()
	s.drop(e)
	e.mu.Lock()
	e.gone = true
	e.wake()
	e.mu.Unlock()
	s.Volumes.Release(r.ID)
	ctx := context.WithoutCancel(s.ctx)
	for _, m := range r.Mounts {
		if m.Anonymous && m.Name != "" {
			s.Volumes.Remove(ctx, m.Name, true)
		}
	}
	s.Images.Release(ctx, r.ID)
	os.RemoveAll(s.Layout.Container(r.ID))
	s.store(&r).Delete(r.ID)
}

// newID makes a container ID: 64 hexadecimal digits, not all decimal in the first twelve, so that a short ID is never
// taken for a number.
func newID() (string, error) {
	var b [32]byte
	for {
		if _, err := rand.Read(b[:]); err != nil {
			return "", errdefs.System("making an ID: %w", err)
		}
		id := hex.EncodeToString(b[:])
		for _, c := range id[:12] {
			if c > '9' {
				return id, nil
			}
		}
	}
}
