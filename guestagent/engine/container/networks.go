//go:build linux

package container

import (
	"context"
	"maps"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	apinet "github.com/moby/moby/api/types/network"
)

// NetworkConnect connects a container to a network, at once where it runs, else when it starts.
func (s *Service) NetworkConnect(ctx context.Context, name, id string, req *apinet.ConnectRequest) error {
	e, err := s.find(req.Container)
	if err != nil {
		return err
	}
	release, err := e.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	r := e.snapshot()
	if r.Host.NetworkMode.IsHost() {
		return errdefs.Forbidden("container cannot be connected to host network - container must be created in host mode")
	}
	if r.Host.NetworkMode.IsContainer() {
		return errdefs.Forbidden("container sharing network namespace with another container or host cannot be connected to any other network")
	}
	want := req.EndpointConfig
	if want == nil {
		want = &apinet.EndpointSettings{}
	}
	if r.State.running() {
		joined := r
		joined.Networks = maps.Clone(r.Networks)
		if joined.Networks == nil {
			joined.Networks = map[string]*apinet.EndpointSettings{}
		}
		joined.Networks[name] = want
		links, _, err := s.linked(&joined)
		if err != nil {
			return err
		}
		if err := s.Networks.Connect(ctx, r.ID, name, want, s.sandboxConfig(ctx, &r, links)); err != nil {
			return err
		}
	} else if r.Networks[name] != nil || r.Networks[id] != nil {
		return errdefs.Forbidden("endpoint with name %s already exists in network %s", r.Name, name)
	}
	return s.change(e, func(r *Record) {
		nets := maps.Clone(r.Networks)
		if nets == nil {
			nets = map[string]*apinet.EndpointSettings{}
		}
		if r.Host.NetworkMode.IsNone() {
			h := *r.Host
			if r.Unplugged { // as a container of Compose v1, between disconnect and connect
				h.NetworkMode, r.Unplugged = container.NetworkMode(name), false
			}
			r.Host = &h
			delete(nets, "none")
		} else if len(nets) == 0 {
			nets[string(r.Host.NetworkMode)] = &apinet.EndpointSettings{} // not replaced by the new one
		}
		nets[name] = want
		r.Networks = nets
	})
}

// NetworkDisconnect takes a container off a network.
func (s *Service) NetworkDisconnect(ctx context.Context, name, id string, req *apinet.DisconnectRequest) error {
	e, err := s.find(req.Container)
	if err != nil {
		return err
	}
	release, err := e.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	r := e.snapshot()
	if r.Host.NetworkMode.IsHost() {
		return errdefs.Forbidden("container cannot be disconnected from host network - container must be created in host mode")
	}
	if r.State.running() {
		if err := s.Networks.Disconnect(ctx, r.ID, name, req.Force); err != nil {
			return err
		}
	} else if r.Networks[name] == nil && r.Networks[id] == nil && string(r.Host.NetworkMode) != name {
		return errdefs.System("container %s is not connected to the network %s", r.ID, name)
	}
	return s.change(e, func(r *Record) {
		nets := maps.Clone(r.Networks)
		delete(nets, name)
		delete(nets, id)
		r.Networks = nets
		if string(r.Host.NetworkMode) == name || string(r.Host.NetworkMode) == id {
			h := *r.Host
			h.NetworkMode = "none"
			for other := range nets {
				h.NetworkMode = container.NetworkMode(other)
			}
			r.Host, r.Unplugged = &h, len(nets) == 0
		}
	})
}
