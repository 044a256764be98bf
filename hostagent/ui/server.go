package ui

import (
	"context"
	"io/fs"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/berthhq/berth/internal/paths"
)

// Config is what a Server needs.
type Config struct {
	Layout paths.Window
	About  About
	// Dial connects to the engine. An error of errdefs is told to the person as it is.
	Dial func(context.Context) (net.Conn, error)
	// Credentials gives what the person's configuration knows of an image's registry, as X-Registry-Auth; nil or "": nothing.
	Credentials func(image string) string
	Machines    func() []paths.Machine // the person's virtual machines
	Now         func() time.Time       // nil: time.Now
}

// About is what the page is told of where it is.
type About struct {
	Engine  string `json:"engine"`  // the engine's address
	Context string `json:"context"` // the docker context it is from
	Local   bool   `json:"local"`   // the engine sees this computer's files
	Machine string `json:"machine"` // the virtual machine it lives in, "" if none
	Version string `json:"version"` // berth's
	Home    string `json:"home"`    // the person's directory
}

// Server is the window's for one engine.
type Server struct {
	cfg      Config
	addr     string // host:port, as browsers name it
	engine   *http.Transport
	routes   []*route
	once     *tokens[struct{}]
	sessions *tokens[struct{}]
	tickets  *tokens[download]

	mu   sync.Mutex // over the rest
	open int        // requests and streams under way
	last time.Time  // when the last of them ended
}

// New makes a server that browsers reach at addr. Close it.
func New(cfg Config, addr string) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Server{
		cfg: cfg, addr: addr, routes: allowed(), last: cfg.Now(),
		engine: &http.Transport{
			DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return cfg.Dial(ctx) },
			DisableCompression: true, IdleConnTimeout: 30 * time.Second,
		},
		once: newTokens[struct{}](onceLife, cfg.Now), sessions: newTokens[struct{}](sessionLife, cfg.Now), tickets: newTokens[download](ticketLife, cfg.Now),
	}
}

// Close drops the connections to the engine that nobody uses.
func (s *Server) Close() { s.engine.CloseIdleConnections() }

// Handler is all that a browser may ask.
func (s *Server) Handler() http.Handler {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the name is a constant
	}
	mux := http.NewServeMux()
	mux.Handle("/", page(files))
	mux.Handle("POST /session", s.own(http.HandlerFunc(s.session)))
	mux.Handle("GET /stream", s.own(http.HandlerFunc(s.stream)))
	mux.Handle("POST /ticket", s.known(http.HandlerFunc(s.ticket)))
	mux.Handle("GET /download/{ticket}", s.own(http.HandlerFunc(s.download)))
	mux.Handle("/local/", s.known(s.local()))
	return s.here(s.escape(mux))
}

// escape takes the engine's paths before the multiplexer would clean them: a path with dots in it is refused, not led on.
func (s *Server) escape(next http.Handler) http.Handler {
	engine := s.known(s.bridge())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.URL.Path) >= 8 && r.URL.Path[:8] == "/engine/" {
			engine.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// session changes a token that works once for one of the tab's.
func (s *Server) session(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Once string `json:"once"`
	}
	if err := read(r, &in); err != nil {
		refuse(w, err)
		return
	}
	if _, ok := s.once.spend(in.Once); !ok {
		refuse(w, errSpent)
		return
	}
	s.forget()
	answer(w, map[string]string{"token": s.sessions.issue(struct{}{})})
}

// busy says that something is under way until the function it gives is called.
func (s *Server) busy() func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
		s.last = s.cfg.Now()
	}
}

// idle is how long nothing has been under way.
func (s *Server) idle() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open > 0 {
		return 0
	}
	return s.cfg.Now().Sub(s.last)
}
