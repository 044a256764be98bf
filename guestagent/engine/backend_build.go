//go:build linux

package engine

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"

	"github.com/berthhq/berth/guestagent/engine/api"
	"github.com/berthhq/berth/guestagent/engine/build"
	apibuild "github.com/moby/moby/api/types/build"
	apinet "github.com/moby/moby/api/types/network"
)

// buildBackend is building images.
type buildBackend struct{ b *build.Builder }

func (b buildBackend) Build(ctx context.Context, o api.BuildOptions, body io.Reader, w io.Writer) (string, error) {
	r := &build.Request{
		Classic: !o.BuildKit, Dockerfile: o.Dockerfile, Target: o.Target, Tags: o.Tags, Args: o.Args, Labels: o.Labels,
		CacheFrom: o.CacheFrom, NoCache: o.NoCache, Pull: o.Pull, Platform: o.Platform, NetworkMode: o.NetworkMode,
		ExtraHosts: o.ExtraHosts, CgroupParent: o.CgroupParent, Limits: build.Limits(o.Limits), Remote: o.Remote,
		SessionID: o.SessionID, BuildID: o.BuildID, Auth: o.Auth, Body: body, KeepContainers: o.KeepContainers,
	}
	for _, out := range o.Outputs {
		r.Outputs = append(r.Outputs, build.Output(out))
	}
	return b.b.Build(ctx, r, w)
}

func (b buildBackend) BuildCancel(_ context.Context, id string) error {
	b.b.Cancel(id)
	return nil
}

func (b buildBackend) BuildPrune(ctx context.Context, o api.BuildPruneOptions) (apibuild.CachePruneReport, error) {
	return b.b.Prune(ctx, build.PruneOptions{
		All: o.All, Filters: o.Filters, ReservedSpace: o.ReservedSpace, MaxUsedSpace: o.MaxUsedSpace, MinFreeSpace: o.MinFreeSpace,
	})
}

func (b buildBackend) BuildSession(ctx context.Context, conn net.Conn, headers http.Header) error {
	return b.b.Session(ctx, conn, headers)
}

func (b buildBackend) BuildControl(ctx context.Context, conn net.Conn) error {
	return b.b.Control(ctx, conn)
}

// cacheUsage measures the build cache.
func (b systemBackend) cacheUsage(ctx context.Context) (*apibuild.DiskUsage, error) {
	items, err := b.e.builder.Usage(ctx)
	if err != nil {
		return nil, err
	}
	du := &apibuild.DiskUsage{Items: items, TotalCount: int64(len(items))}
	for _, r := range items {
		du.TotalSize += r.Size
		if r.InUse {
			du.ActiveCount++
		} else if !r.Shared {
			du.Reclaimable += r.Size
		}
	}
	return du, nil
}

// newBuilder makes what builds images; it opens nothing before the first build.
func (e *Engine) newBuilder(gateways []netip.Addr) (*build.Builder, error) {
	d := e.defaults()
	return build.New(build.Options{
		Layout: e.opts.Layout, Images: e.images, Networks: e.networks, Runtime: buildRuntime{e.runtime, !e.ids.Empty()}, Bus: e.bus,
		HostGateways: e.gateways(gateways), Cgroups: d.Cgroups, CgroupNS: d.CgroupNS, Log: e.opts.Log,
	})
}

// gateways are the machine's addresses as containers on the default network reach them: those that are configured, or
// its gateway's.
func (e *Engine) gateways(configured []netip.Addr) []netip.Addr {
	if len(configured) > 0 {
		return configured
	}
	n, err := e.networks.NetworkInspect(context.Background(), apinet.NetworkBridge, false)
	if err != nil {
		return nil // there is no default network: host-gateway stands for nothing
	}
	var out []netip.Addr
	for _, c := range n.IPAM.Config {
		if c.Gateway.IsValid() {
			out = append(out, c.Gateway)
		}
	}
	return out
}
