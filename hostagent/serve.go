package hostagent

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/berthhq/berth/hostagent/dockerproxy"
	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/internal/errdefs"
)

// Serve serves the machine's two sockets until ctx ends or a person has stopped the machine. The machine is not stopped
// by the end of ctx. A connection to the Docker API starts it.
func (a *Agent) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	docker, err := listen(a.cfg.Layout.DockerSocket())
	if err != nil {
		return err
	}
	defer docker.Close()
	verbs, err := listen(a.cfg.Layout.AgentSocket()) // last: once it is there, an agent is taken to serve
	if err != nil {
		return err
	}
	defer verbs.Close()
	proxy := &dockerproxy.Proxy{Guest: a.guest}
	server := &http.Server{Handler: a.handler(), BaseContext: func(net.Listener) context.Context { return ctx }}
	var parts sync.WaitGroup
	failed := make(chan error, 2)
	parts.Go(func() { failed <- proxy.Serve(ctx, docker) })
	parts.Go(func() {
		if err := server.Serve(verbs); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	})
	go a.adopt(ctx)
	select {
	case <-ctx.Done():
	case <-a.quit:
	case err = <-failed:
	}
	// The last answer is on its way: it is let out before the socket goes.
	ending, done := context.WithTimeout(context.WithoutCancel(ctx), askWithin)
	defer done()
	err = errors.Join(err, server.Shutdown(ending))
	cancel()
	parts.Wait()
	return err
}

// adopt takes up a machine that an earlier agent has left running, so that its ports are served without anyone asking.
func (a *Agent) adopt(ctx context.Context) {
	m, err := a.find(ctx)
	if err != nil || m == nil {
		return
	}
	_ = m.Close()
	if err := a.Start(ctx, a.logged); err != nil {
		a.cfg.Log.Warn("taking up the running machine", "error", err)
	}
}

func (a *Agent) logged(step string) { a.cfg.Log.Info(step) }

// guest is what the Docker API's connections go to.
func (a *Agent) guest(ctx context.Context) (transport.Dialer, error) {
	if r := a.running(); r != nil {
		return r.machine, nil
	}
	if err := a.Start(context.WithoutCancel(ctx), a.logged); err != nil {
		return nil, err
	}
	if r := a.running(); r != nil {
		return r.machine, nil
	}
	return nil, errdefs.Unavailable("machine %s ended while it was started", a.cfg.Layout.Name).WithHint("berth machine doctor")
}

// listen takes a socket's name; what is there was left by an agent that is gone, since the lock is ours.
func listen(name string) (net.Listener, error) {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errdefs.System("listening on %s: %w", name, err)
	}
	l, err := net.Listen("unix", name)
	if err == nil {
		err = os.Chmod(name, 0o600) // the directory is its owner's alone
	}
	if err != nil {
		return nil, errdefs.System("listening on %s: %w", name, err)
	}
	return l, nil
}
