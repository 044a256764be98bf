//go:build linux

package engine

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/berthhq/berth/guestagent/engine/api"
	"github.com/berthhq/berth/guestagent/engine/build"
	"github.com/berthhq/berth/guestagent/engine/config"
	"github.com/berthhq/berth/guestagent/engine/container"
	"github.com/berthhq/berth/guestagent/engine/events"
	"github.com/berthhq/berth/guestagent/engine/host"
	"github.com/berthhq/berth/guestagent/engine/image"
	"github.com/berthhq/berth/guestagent/engine/meta"
	"github.com/berthhq/berth/guestagent/engine/network"
	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/guestagent/engine/volume"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"github.com/moby/sys/user"
)

// Options are what an engine is started with.
type Options struct {
	Layout paths.Layout
	Config *config.Config
	BinDir string // of berth-supervisor, berth-netd and berth-init
	Log    *slog.Logger
}

// Engine is a running engine.
type Engine struct {
	opts       Options
	db         *meta.DB
	bus        *events.Bus
	images     *image.Service
	networks   *network.Manager
	volumes    *volume.Service
	host       *host.Client // nil natively
	containers *container.Service
	runtime    *runtime.Client
	builder    *build.Builder
	cgroups    runtime.Cgroups
	ids        user.IdentityMapping // of containers' users; empty: they are the machine's
	server     *api.Server
	started    time.Time
}

// New opens a state directory, takes up what runs there and finishes what an engine that was killed had begun. Errors:
// Conflict where another engine serves it.
func New(ctx context.Context, o Options) (*Engine, error) {
	e := &Engine{opts: o, bus: events.NewBus(), started: time.Now()}
	if err := e.open(ctx); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func (e *Engine) open(ctx context.Context) (err error) {
	if err := e.remap(); err != nil {
		return err
	}
	l := e.opts.Layout
	if e.cgroups, err = runtime.MachineCgroups(e.opts.Config.CgroupDriver(), e.opts.Config.CgroupParent); err != nil {
		return err
	}
	if e.db, err = meta.Open(l); err != nil {
		return err
	}
	if err := emptyDir(l.Tmp()); err != nil {
		return err
	}
	if err := e.checkRemap(); err != nil {
		return err
	}
	if e.images, err = image.Open(ctx, l, e.imageConfig()); err != nil {
		return err
	}
	if e.volumes, err = volume.New(l, e.db, e.bus); err != nil {
		return err
	}
	e.volumes.SetRoot(e.ids.RootPair())
	netCfg, err := networkConfig(e.opts.Config)
	if err != nil {
		return err
	}
	if e.host = host.Find(e.opts.Layout.HostSocket()); e.host != nil {
		netCfg.Host = e.host
	}
	netCfg.NetdPath, netCfg.Log = filepath.Join(e.opts.BinDir, "berth-netd"), e.opts.Log
	if e.networks, err = network.Open(ctx, l, e.db, e.bus, netCfg); err != nil {
		return err
	}
	e.runtime = runtime.NewClient(l, e.opts.BinDir)
	e.containers, err = container.New(container.Deps{
		Images: e.images, Networks: e.networks, Volumes: e.volumes, Runtime: e.runtime, Bus: e.bus,
		Durable:  meta.NewStore[container.Record](e.db, "containers"),
		Volatile: meta.NewVolatile[container.Record](e.db, "containers"),
		Layout:   l, Defaults: e.defaults(),
	})
	if err != nil {
		return err
	}
	e.images.SetUsers(e.containers.Users)
	if e.builder, err = e.newBuilder(netCfg.HostGateways); err != nil {
		return err
	}
	if err := e.settle(ctx); err != nil {
		return err
	}
	e.server = api.NewServer(e.backends())
	return nil
}

// settleTimeout bounds how long the supervisor may take to say what runs.
const settleTimeout = 60 * time.Second

// settle waits until records and reality agree: no request is answered before.
func (e *Engine) settle(ctx context.Context) error {
	done := make(chan struct{})
	e.containers.Run(func() { close(done) })
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settleTimeout):
		return errdefs.System("berth-supervisor does not answer; its messages are in %s", e.opts.Layout.SupervisorLog())
	}
}

// Serve answers the API on all listeners until ctx ends.
func (e *Engine) Serve(ctx context.Context, listeners ...net.Listener) error {
	var wg sync.WaitGroup
	errs := make([]error, len(listeners))
	for i, l := range listeners {
		wg.Go(func() { errs[i] = e.server.Serve(ctx, l) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Shutdown ends all containers because the machine shuts down; Close is to follow.
func (e *Engine) Shutdown(ctx context.Context) { e.containers.Shutdown(ctx) }

// Close ends the engine. Containers, their names and ports go on.
func (e *Engine) Close() error {
	var errs []error
	if e.builder != nil {
		errs = append(errs, e.builder.Close())
	}
	if e.containers != nil {
		e.containers.Close()
	}
	if e.networks != nil {
		e.networks.Close()
	}
	if e.images != nil {
		errs = append(errs, e.images.Close())
	}
	if e.db != nil {
		errs = append(errs, e.db.Close())
	}
	return errors.Join(errs...)
}

func emptyDir(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return errdefs.System("emptying %s: %w", dir, err)
	}
	for _, d := range list {
		if err := os.RemoveAll(filepath.Join(dir, d.Name())); err != nil {
			return errdefs.System("emptying %s: %w", dir, err)
		}
	}
	return nil
}

func (e *Engine) backends() api.Backends {
	return api.Backends{
		Container: containerBackend{e.containers}, Query: queryBackend{e}, Stream: streamBackend{e},
		Archive: archiveBackend{e}, Image: imageBackend{e.images, e.containers, e.bus}, Network: networkBackend{e}, Volume: volumeBackend{e.volumes},
		Build: buildBackend{e.builder}, System: systemBackend{e}, Log: e.opts.Log,
	}
}
