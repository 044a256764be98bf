// Package session is what every verb of the command line is given: the streams, the environment, docker's
// configuration file and the engine's client, the last two made when first asked for. It must not know any verb.
package session

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/streams"
	"github.com/moby/moby/client"

	"github.com/berthhq/berth/internal/buildinfo"
	"github.com/berthhq/berth/internal/endpoint"
)

// Session belongs to one run of the program.
type Session struct {
	In  *streams.In
	Out *streams.Out
	Err *streams.Out

	Getenv  func(string) string
	Host    string // --host
	Context string // --context
	// Negotiate asks the engine for its API version before the first request. Left out for berth's own engine,
	// whose version is known; Run sets it when an older engine refuses.
	Negotiate bool
	// NoStart keeps the session from starting an engine: completion only looks.
	NoStart bool

	api    client.APIClient
	config *configfile.ConfigFile
}

// New makes a session on the given streams.
func New(in io.ReadCloser, out, errOut io.Writer, getenv func(string) string) *Session {
	return &Session{In: streams.NewIn(in), Out: streams.NewOut(out), Err: streams.NewOut(errOut), Getenv: getenv}
}

// WithAPI makes the session use this client, for tests.
func (s *Session) WithAPI(c client.APIClient) *Session {
	s.api = c
	return s
}

// ConfigDir is docker's configuration directory.
func (s *Session) ConfigDir() string {
	if d := s.Getenv("DOCKER_CONFIG"); d != "" {
		return d
	}
	home := s.Getenv("HOME")
	if home == "" {
		home = s.Getenv("USERPROFILE")
	}
	return filepath.Join(home, ".docker")
}

// Config is docker's configuration file. One that cannot be read is told once on stderr and counts as empty.
func (s *Session) Config() *configfile.ConfigFile {
	if s.config == nil {
		file, err := config.Load(s.ConfigDir())
		if err != nil {
			_, _ = fmt.Fprintf(s.Err, "berth: warning: %v\n", err)
			file = configfile.New(filepath.Join(s.ConfigDir(), config.ConfigFileName))
		}
		s.config = file
	}
	return s.config
}

// Endpoint is the engine that the session talks to.
func (s *Session) Endpoint() (endpoint.Endpoint, error) {
	q := endpoint.Query{Host: s.Host, Context: s.Context, ConfigDir: s.ConfigDir(), Getenv: s.Getenv}
	if q.Host == "" && q.Context == "" {
		q.Current = s.Config().CurrentContext
	}
	return endpoint.Resolve(q)
}

// API is the client of the engine. No connection is made yet.
func (s *Session) API() (client.APIClient, error) {
	if s.api != nil {
		return s.api, nil
	}
	e, err := s.Endpoint()
	if err != nil {
		return nil, err
	}
	c, err := client.New(s.clientOptions(e)...)
	if err != nil {
		return nil, fmt.Errorf("engine at %s: %w", e.Host, err)
	}
	s.api = c
	return c, nil
}

func (s *Session) clientOptions(e endpoint.Endpoint) []client.Opt {
	opts := []client.Opt{
		client.WithHost(e.Host),
		client.WithUserAgent("berth/" + buildinfo.Version() + " (" + buildinfo.Platform() + ")"),
	}
	if headers := s.Config().HTTPHeaders; len(headers) > 0 {
		opts = append(opts, client.WithHTTPHeaders(headers))
	}
	if e.TLS != nil {
		opts = append(opts, client.WithTLSClientConfig(e.TLS.CA, e.TLS.Cert, e.TLS.Key))
	}
	if !strings.HasPrefix(e.Host, "npipe://") {
		d := &endpoint.Dialer{Endpoint: e, Notice: s.Err, NoStart: s.NoStart}
		opts = append(opts, client.WithDialContext(func(ctx context.Context, _, _ string) (net.Conn, error) { return d.Dial(ctx) }))
	}
	if v := s.Getenv("DOCKER_API_VERSION"); v != "" {
		opts = append(opts, client.WithAPIVersion(v))
	} else if e.IsOwn() && !s.Negotiate {
		opts = append(opts, client.WithAPIVersion(client.MaxAPIVersion))
	}
	return opts
}

// Renegotiate forgets the client, so that the next one asks the engine for its version. It reports whether that may
// help: false where it was asked already.
func (s *Session) Renegotiate() bool {
	if s.Negotiate || s.Getenv("DOCKER_API_VERSION") != "" {
		return false
	}
	s.Negotiate, s.api = true, nil
	return true
}
