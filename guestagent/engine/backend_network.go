//go:build linux

package engine

import (
	"context"
	"maps"
	"slices"

	"github.com/berthhq/berth/guestagent/engine/api"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/network"
)

// networkBackend is networks. Connecting is the containers' business: it changes their records.
type networkBackend struct{ e *Engine }

func (b networkBackend) NetworkCreate(ctx context.Context, req *network.CreateRequest) (network.CreateResponse, error) {
	return b.e.networks.NetworkCreate(ctx, req)
}

func (b networkBackend) NetworkList(ctx context.Context, f api.Filters) ([]network.Summary, error) {
	return b.e.networks.NetworkList(ctx, f)
}

func (b networkBackend) NetworkInspect(ctx context.Context, name string, verbose bool) (*network.Inspect, error) {
	return b.e.networks.NetworkInspect(ctx, name, verbose)
}

// NetworkRemove tries again where the network was in use by containers that had ended and were about to leave it.
func (b networkBackend) NetworkRemove(ctx context.Context, name string) error {
	err := b.e.networks.NetworkRemove(ctx, name)
	if errdefs.KindOf(err) != errdefs.KindForbidden {
		return err
	}
	net, ierr := b.e.networks.NetworkInspect(ctx, name, false)
	if ierr != nil || len(net.Containers) > 0 && !b.e.containers.Settle(ctx, slices.Collect(maps.Keys(net.Containers))) {
		return err
	}
	return b.e.networks.NetworkRemove(ctx, name)
}

func (b networkBackend) NetworkConnect(ctx context.Context, name string, req *network.ConnectRequest) error {
	net, err := b.e.networks.NetworkInspect(ctx, name, false)
	if err != nil {
		return err
	}
	return b.e.containers.NetworkConnect(ctx, net.Name, net.ID, req)
}

func (b networkBackend) NetworkDisconnect(ctx context.Context, name string, req *network.DisconnectRequest) error {
	net, err := b.e.networks.NetworkInspect(ctx, name, false)
	if err != nil {
		return err
	}
	return b.e.containers.NetworkDisconnect(ctx, net.Name, net.ID, req)
}

func (b networkBackend) NetworkPrune(ctx context.Context, f api.Filters) (network.PruneReport, error) {
	return b.e.networks.NetworkPrune(ctx, f)
}
