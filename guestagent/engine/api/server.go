package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/berthhq/berth/internal/buildinfo"
	"github.com/berthhq/berth/internal/errdefs"
)

// Backends is the engine as the server needs it. Log may be nil.
type Backends struct {
	Container ContainerBackend
	Query     ContainerQuery
	Stream    StreamBackend
	Archive   ArchiveBackend
	Image     ImageBackend
	Network   NetworkBackend
	Volume    VolumeBackend
	Build     BuildBackend
	System    SystemBackend
	Log       *slog.Logger
}

// Server answers the Docker Engine HTTP API.
type Server struct {
	Backends
	router *router
	// headTimeout and bodyTimeout are how long a request's head and a JSON body may take to arrive.
	headTimeout, bodyTimeout time.Duration

	stopOnce sync.Once
	stopping chan struct{} // closed when long answers must end
}

// The server's patience. Requests' heads and JSON bodies must arrive in time; answers and uploads may last for ever.
const (
	headTimeout  = 30 * time.Second
	bodyTimeout  = 60 * time.Second
	idleTimeout  = 5 * time.Minute
	drainTimeout = 5 * time.Second
)

// maxHead bounds a request's line and headers, and with them the query: filters, names, options of builds.
const maxHead = 1 << 20

// NewServer makes a server over the engine.
func NewServer(b Backends) *Server {
	if b.Log == nil {
		b.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{Backends: b, router: newRouter(Routes()), headTimeout: headTimeout, bodyTimeout: bodyTimeout, stopping: make(chan struct{})}
}

// Handler is the whole API.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveHTTP) }

// Serve answers on the listener until ctx ends; then long answers are ended and short ones get five seconds. It closes
// the listener. Hijacked connections are no longer the server's and go on.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	hs := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: s.headTimeout,
		MaxHeaderBytes:    maxHead,
		IdleTimeout:       idleTimeout,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- hs.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("serving the API: %w", err)
	case <-ctx.Done():
	}
	s.stopOnce.Do(func() { close(s.stopping) })
	drain, stop := context.WithTimeout(base, drainTimeout)
	defer stop()
	err := hs.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		err = hs.Close()
	}
	<-done
	return err
}

func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	out := &response{ResponseWriter: w}
	defer s.recoverPanic(out, r)
	prefix, path := splitVersion(r.URL.Path)
	version, versionErr := negotiate(prefix)
	if r.Method == http.MethodOptions {
		setServerHeaders(out.Header())
		return // 200: there is no more to say of any resource
	}
	route, name, ok := s.router.find(r.Method, path, version)
	if !ok {
		s.fail(out, r, errdefs.NotFound("page not found"))
		return
	}
	setServerHeaders(out.Header())
	if versionErr != nil {
		s.failVersion(out, r, prefix, versionErr)
		return
	}
	if route.Stream {
		ctx := r.Context()
		if route.Hijack {
			ctx = context.WithoutCancel(ctx)
		}
		ctx, cancel := s.untilStop(ctx)
		defer cancel()
		r = r.WithContext(ctx)
	}
	c := &call{w: out, r: r, name: name, version: version, bodyTimeout: s.bodyTimeout}
	if err := c.parseQuery(); err != nil {
		s.fail(out, r, err)
		return
	}
	if err := route.serve(s, c); err != nil {
		s.fail(out, r, err)
	}
}

// failVersion answers a client of another age. One from before 1.24 reads plain text only.
func (s *Server) failVersion(out *response, r *http.Request, asked string, err error) {
	if v, ok := parseVersion(asked); ok && v.compare(Oldest()) < 0 {
		http.Error(out, err.Error(), errdefs.HTTPStatus(err))
		return
	}
	s.fail(out, r, err)
}

// untilStop is a context that also ends when the server stops.
func (s *Server) untilStop(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	go func() {
		select {
		case <-s.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func setServerHeaders(h http.Header) {
	h.Set("Server", "Berth/"+buildinfo.Version()+" (linux)")
	h.Set("Api-Version", Newest().String())
	h.Set("Ostype", "linux")
	h.Set("Docker-Experimental", "false")
}

// recoverPanic turns a fault of a handler into a 500, or a cut connection when an answer was already under way.
func (s *Server) recoverPanic(out *response, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler || out.hijacked {
		panic(http.ErrAbortHandler)
	}
	s.Log.Error("the API handler panicked", "method", r.Method, "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
	if out.started {
		panic(http.ErrAbortHandler)
	}
	writeError(out, errdefs.System("internal error: the engine's log has the details"))
}

// fail answers with an error, or cuts the connection when an answer was already under way, so that the client does not
// take half of it for the whole.
func (s *Server) fail(out *response, r *http.Request, err error) {
	switch {
	case out.hijacked:
		s.Log.Warn("request failed after its connection was taken over", "method", r.Method, "path", r.URL.Path, "error", err)
	case out.started && r.Context().Err() != nil: // the client left
	case out.started:
		s.Log.Warn("request failed in the middle of its answer", "method", r.Method, "path", r.URL.Path, "error", err)
		panic(http.ErrAbortHandler)
	default:
		if errdefs.HTTPStatus(err) >= http.StatusInternalServerError {
			s.Log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		writeError(out, err)
	}
}
