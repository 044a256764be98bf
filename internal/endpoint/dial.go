package endpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// Dialer connects to an endpoint. The first connection to berth's own engine starts it where it does not answer, so
// that a command pays nothing for the question whether it runs.
type Dialer struct {
	Endpoint Endpoint
	Notice   io.Writer // where a person is told that an engine was started
	NoStart  bool      // never start an engine

	// What starts an engine, natively or in a machine; nil: startEngine and startMachine. Tests replace them.
	start        func(context.Context, Endpoint, io.Writer) error
	startMachine func(context.Context, paths.Machine, io.Writer) error
	mu           sync.Mutex // one start at a time
}

// Dial connects. An engine that cannot be reached is KindUnavailable, with advice.
func (d *Dialer) Dial(ctx context.Context) (net.Conn, error) {
	network, addr, err := d.address()
	if err != nil {
		return nil, err
	}
	conn, err := connect(ctx, network, addr)
	if err == nil && network == "tcp" && d.Endpoint.TLS != nil {
		return d.Endpoint.TLS.secure(ctx, conn, addr)
	}
	if err == nil {
		return conn, nil
	}
	start := d.starter()
	if start == nil || d.NoStart || !absent(err) {
		return nil, d.explain(err)
	}
	if err := d.startOnce(ctx, network, addr, start); err != nil {
		return nil, err
	}
	if conn, err = connect(ctx, network, addr); err != nil {
		return nil, d.explain(err)
	}
	return conn, nil
}

// DialAny is Dial in the form that HTTP clients want; the address is the endpoint's.
func (d *Dialer) DialAny(ctx context.Context, _, _ string) (net.Conn, error) { return d.Dial(ctx) }

// starter is what starts an engine of berth's own, natively or in a machine; nil for any other.
func (d *Dialer) starter() func(context.Context) error {
	if d.Endpoint.IsOwn() {
		return func(ctx context.Context) error { return or(d.start, startEngine)(ctx, d.Endpoint, d.Notice) }
	}
	if m, ok := d.Endpoint.Machine(os.Getenv); ok {
		return func(ctx context.Context) error { return or(d.startMachine, startMachine)(ctx, m, d.Notice) }
	}
	return nil
}

func or[F func(context.Context, T, io.Writer) error, T any](f, other F) F {
	if f == nil {
		return other
	}
	return f
}

func (d *Dialer) startOnce(ctx context.Context, network, addr string, start func(context.Context) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, err := connect(ctx, network, addr); err == nil {
		return c.Close()
	}
	return start(ctx)
}

// connect is one attempt. An npipe's address is the pipe's name.
func connect(ctx context.Context, network, addr string) (net.Conn, error) {
	if network == "npipe" {
		return dialPipe(ctx, addr)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

func (d *Dialer) address() (network, addr string, err error) {
	proto, addr, _ := strings.Cut(d.Endpoint.Host, "://")
	switch proto {
	case "unix":
		return "unix", addr, nil
	case "tcp", "http", "https":
		return "tcp", strings.TrimSuffix(addr, "/"), nil
	case "npipe":
		addr, err := pipeName(addr)
		return "npipe", addr, err
	}
	return "", "", errdefs.NotImplemented("this system cannot connect to %s", d.Endpoint.Host)
}

// explain says why no engine was reached and what helps.
func (d *Dialer) explain(err error) error {
	e := errdefs.Unavailable("no engine answers at %s: %w", d.Endpoint.Host, reason(err))
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, fs.ErrPermission):
		return errdefs.Forbidden("permission denied while trying to connect to the engine at %s: %w", d.Endpoint.Host, reason(err)).
			WithHint("Run the command as root: sudo berth ...")
	case d.Endpoint.Source == SourceFlag, d.Endpoint.Source == SourceEnv:
		return e.WithHint("Check --host, BERTH_HOST and DOCKER_HOST, or leave them out to use this machine's own engine.")
	case d.Endpoint.Source == SourceContext:
		return e.WithHint("The context %q is in use; run 'berth context use default' for this machine's own engine.", d.Endpoint.Context)
	}
	if m, ok := d.Endpoint.Machine(os.Getenv); ok {
		return e.WithHint("berth machine doctor says what is wrong; %s has what its host agent wrote.", m.AgentLog())
	}
	return e.WithHint("See %s for why.", d.Endpoint.Layout.EngineLog())
}

// reason is the innermost cause: "no such file or directory" rather than "dial unix /run/...: connect: ...".
func reason(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// absent says that nothing serves the socket, as opposed to something that refuses us.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

func answers(socket string) bool {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return false
	}
	return c.Close() == nil
}

// lastLine is the last line of the log with something in it, "" if there is none.
func lastLine(file string, from int64) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	const most = 8 << 10
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	from = max(from, info.Size()-most)
	b, err := io.ReadAll(io.NewSectionReader(f, from, most))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

func started(notice io.Writer, e Endpoint) {
	if notice != nil {
		_, _ = fmt.Fprintf(notice, "berth: started the engine (state in %s)\n", e.Layout.Root)
	}
}
