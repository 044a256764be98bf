//go:build linux

package build

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/berthhq/berth/guestagent/engine/build/sandbox"
	"github.com/containerd/containerd/v2/defaults"
	"github.com/moby/buildkit/cache/remotecache"
	inlinecache "github.com/moby/buildkit/cache/remotecache/inline"
	localcache "github.com/moby/buildkit/cache/remotecache/local"
	registrycache "github.com/moby/buildkit/cache/remotecache/registry"
	"github.com/moby/buildkit/control"
	"github.com/moby/buildkit/frontend"
	dockerfile "github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/gateway"
	"github.com/moby/buildkit/frontend/gateway/forwarder"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/solver"
	"github.com/moby/buildkit/solver/bboltcachestorage"
	"github.com/moby/buildkit/util/db/boltutil"
	"github.com/moby/buildkit/util/entitlements"
	"github.com/moby/buildkit/util/grpcerrors"
	"github.com/moby/buildkit/worker"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// kit is BuildKit, open.
type kit struct {
	controller *control.Controller
	sessions   *session.Manager
	worker     *imageWorker
	sandbox    *sandbox.Executor
	server     *grpc.Server  // what clients reach through POST /grpc
	dialled    *dialled      // their connections
	served     chan struct{} // closed when the server has ended
}

func openKit(ctx context.Context, o Options) (_ *kit, err error) {
	dir := o.Layout.Build()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	k := &kit{}
	k.sandbox, err = sandbox.New(sandbox.Options{
		Layout: o.Layout, Runtime: o.Runtime, Networks: o.Networks, Cgroups: o.Cgroups, CgroupNS: o.CgroupNS,
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			k.sandbox.Close()
		}
	}()
	if k.sessions, err = session.NewManager(); err != nil {
		return nil, err
	}
	if k.worker, err = newWorker(ctx, dir, o, k.sandbox); err != nil {
		return nil, err
	}
	if k.controller, err = k.newController(ctx, dir); err != nil {
		return nil, errors.Join(err, k.worker.Close())
	}
	k.server = grpc.NewServer(
		// With what clients show of an error: where in the Dockerfile it is.
		grpc.UnaryInterceptor(grpcerrors.UnaryServerInterceptor), grpc.StreamInterceptor(grpcerrors.StreamServerInterceptor),
		grpc.MaxRecvMsgSize(defaults.DefaultMaxRecvMsgSize), grpc.MaxSendMsgSize(defaults.DefaultMaxSendMsgSize),
	)
	grpc_health_v1.RegisterHealthServer(k.server, health.NewServer())
	k.controller.Register(k.server)
	k.dialled, k.served = newDialled(), make(chan struct{})
	go func() {
		defer close(k.served)
		_ = k.server.Serve(k.dialled) // it ends with close, and has no other reason to
	}()
	return k, nil
}

func (k *kit) newController(ctx context.Context, dir string) (*control.Controller, error) {
	workers := &worker.Controller{}
	if err := workers.Add(k.worker); err != nil {
		return nil, err
	}
	custom, err := gateway.NewGatewayFrontend(workers.Infos(), nil)
	if err != nil {
		return nil, err
	}
	keys, err := bboltcachestorage.NewStore(filepath.Join(dir, "cache.db"))
	if err != nil {
		return nil, err
	}
	history, err := boltutil.SafeOpen(filepath.Join(dir, "history.db"), 0o600, nil)
	if err != nil {
		return nil, errors.Join(err, keys.Close())
	}
	hosts, sm := k.worker.RegistryHosts, k.sessions
	return control.NewController(control.Opt{
		SessionManager: sm, WorkerController: workers,
		Frontends: map[string]frontend.Frontend{
			"dockerfile.v0": forwarder.NewGatewayForwarder(workers.Infos(), dockerfile.Build),
			"gateway.v0":    custom,
		},
		CacheManager: solver.NewCacheManager(ctx, "local", keys, worker.NewCacheResultStorage(workers)),
		CacheStore:   keys,
		ResolveCacheImporterFuncs: map[string]remotecache.ResolveCacheImporterFunc{
			"registry": registrycache.ResolveCacheImporterFunc(sm, k.worker.ContentStore(), hosts),
			"local":    localcache.ResolveCacheImporterFunc(sm),
		},
		ResolveCacheExporterFuncs: map[string]remotecache.ResolveCacheExporterFunc{
			"registry": registrycache.ResolveCacheExporterFunc(sm, hosts),
			"local":    localcache.ResolveCacheExporterFunc(sm),
			"inline":   inlinecache.ResolveCacheExporterFunc(),
		},
		// As in dockerd: a build may ask for the machine's network, never for all of its privileges.
		Entitlements: []string{string(entitlements.EntitlementNetworkHost)},
		HistoryDB:    history, LeaseManager: k.worker.LeaseManager(), ContentStore: k.worker.ContentStore(),
		GarbageCollect: k.worker.GarbageCollect,
	})
}

func (k *kit) close() error {
	k.server.Stop()
	<-k.served
	err := k.controller.Close() // and with it the worker
	k.sandbox.Close()
	return err
}
