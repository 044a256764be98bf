package container

import (
	"context"
	"fmt"
	"os"
	gosignal "os/signal"
	"syscall"

	"github.com/moby/moby/client"
	"github.com/moby/sys/signal"

	"github.com/berthhq/berth/cmd/berth/cli/session"
)

// interruptsToLeave is how many Ctrl-C in a row leave a container that does not react to them.
const interruptsToLeave = 3

// killer is what forwarding needs of the API.
type killer interface {
	ContainerKill(ctx context.Context, container string, o client.ContainerKillOptions) (client.ContainerKillResult, error)
}

// forwarder passes the signals that this process gets on to a container.
type forwarder struct {
	in    chan os.Signal
	ready chan struct{} // closed when the container runs: what came before waits
	leave chan struct{} // closed when the person insists on leaving
}

// forwardSignals begins to catch signals. They are passed on after started is called. stop ends it.
func forwardSignals(ctx context.Context, s *session.Session, api killer, id string) *forwarder {
	f := &forwarder{in: make(chan os.Signal, 128), ready: make(chan struct{}), leave: make(chan struct{})}
	gosignal.Notify(f.in)
	go f.run(context.WithoutCancel(ctx), s, api, id)
	return f
}

func (f *forwarder) started() { close(f.ready) }

func (f *forwarder) stop() {
	gosignal.Stop(f.in)
	close(f.in)
}

func (f *forwarder) run(ctx context.Context, s *session.Session, api killer, id string) {
	interrupts := 0
	waiting := f.ready
	for sig := range f.in {
		name := signalName(sig)
		if name == "" {
			continue
		}
		if sig == os.Interrupt || sig == syscall.SIGTERM {
			interrupts++
		}
		if interrupts == interruptsToLeave-1 {
			_, _ = fmt.Fprintln(s.Err, "\nberth: the container still runs; Ctrl-C once more leaves it running")
		}
		if interrupts == interruptsToLeave {
			close(f.leave)
		}
		go func() {
			<-waiting
			// The container may have ended in the meantime; its exit code then says all there is to say.
			_, _ = api.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: name})
		}()
	}
}

// signalName is the name without SIG; "" for those that are this process's own business.
func signalName(sig os.Signal) string {
	if sig == signal.SIGCHLD || sig == signal.SIGPIPE || runtimeSignal(sig) {
		return ""
	}
	for name, n := range signal.SignalMap {
		if os.Signal(n) == sig {
			return name
		}
	}
	return ""
}
