// Package session is what all verbs of the command line share: the streams, the connection to the engine, the user's
// configuration, and the exit code that an error stands for. It knows no verb.
package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/berthhq/berth/internal/buildinfo"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/credentials"
	"github.com/moby/moby/client"
	"github.com/moby/term"
)

// Streams are the program's own.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Session is one run of the program.
type Session struct {
	Streams
	Getenv  func(string) string
	Host    string // --host
	Context string // --context
	TLS     endpoint.TLSOptions

	ConfigPath string // --config, a directory

	client *client.Client
	config *configfile.ConfigFile
	hint   string // what the engine advised with its last error
}

// New makes a session.
func New(s Streams, getenv func(string) string) *Session { return &Session{Streams: s, Getenv: getenv} }

// Config is docker's configuration file of the user. For what it knows of registries use Credentials.
func (s *Session) Config() *configfile.ConfigFile {
	if s.config == nil {
		c, err := config.Load(s.ConfigDir())
		if err != nil {
			fmt.Fprintln(s.Err, "WARNING: Error loading config file:", err)
		}
		s.config = c
	}
	return s.config
}

// Credentials is the configuration with the machine's credential helper as its store where it names none and keeps no
// passwords itself, as docker does. The helper is looked for in PATH, which takes a while: not on the way of every verb.
func (s *Session) Credentials() *configfile.ConfigFile {
	c := s.Config()
	if !c.ContainsAuth() {
		c.CredentialsStore = credentials.DetectDefaultStore(c.CredentialsStore)
	}
	return c
}

// ConfigDir is the directory of docker's configuration.
func (s *Session) ConfigDir() string {
	if s.ConfigPath != "" {
		return s.ConfigPath
	}
	return config.Dir()
}

// Endpoint says which engine the session talks to.
func (s *Session) Endpoint() (endpoint.Endpoint, error) {
	q := endpoint.Query{Host: s.Host, Context: s.Context, ConfigDir: s.ConfigDir(), Getenv: s.Getenv, TLS: s.TLS}
	if s.Host == "" && s.Context == "" && s.Getenv("BERTH_HOST") == "" && s.Getenv("DOCKER_HOST") == "" {
		q.Current = s.Config().CurrentContext
	}
	return endpoint.Resolve(q)
}

// hintHeader carries what the engine advises with an error.
const hintHeader = "Berth-Hint"

// Client connects to the engine when the first request is made, and starts berth's own where it does not run.
func (s *Session) Client() (*client.Client, error) {
	if s.client != nil {
		return s.client, nil
	}
	ep, err := s.Endpoint()
	if err != nil {
		return nil, err
	}
	d := &endpoint.Dialer{Endpoint: ep, Notice: s.Err}
	opts := []client.Opt{
		client.WithHost("tcp://berth"), client.WithUserAgent("berth/" + buildinfo.Version()),
		client.WithDialContext(func(ctx context.Context, _, _ string) (net.Conn, error) { return d.Dial(ctx) }),
		client.WithHTTPResponseHook(func(r *http.Response) { s.hint = r.Header.Get(hintHeader) }),
	}
	if ep.IsOwn() {
		opts = append(opts, client.WithAPIVersion(apiVersion)) // known: nothing to negotiate
	} else {
		opts = append(opts, client.WithAPIVersionFromEnv())
	}
	s.client, err = client.New(opts...)
	return s.client, err
}

// apiVersion is the newest version that our own engine of the same release serves.
const apiVersion = "1.56"

// Hint is the engine's advice on the last request.
func (s *Session) Hint() string { return s.hint }

// OutTerminal tells whether output goes to a terminal, and gives its descriptor.
func (s *Session) OutTerminal() (fd uintptr, ok bool) { return terminal(s.Out) }

// InTerminal tells whether input comes from a terminal.
func (s *Session) InTerminal() (fd uintptr, ok bool) { return terminal(s.In) }

func terminal(v any) (uintptr, bool) {
	f, ok := v.(*os.File)
	if !ok {
		return 0, false
	}
	return f.Fd(), term.IsTerminal(f.Fd())
}

// ExitError is an error with an exit code of its own; without a message nothing is printed.
type ExitError struct {
	Code int
	Err  error
}

func (e *ExitError) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// Unwrap gives the cause.
func (e *ExitError) Unwrap() error { return e.Err }

// Each runs a verb on several objects: every one that succeeds is printed, every failure is told, and the exit code is
// that of a failure if there was one.
func (s *Session) Each(names []string, do func(name string) (string, error)) error {
	var errs []error
	for _, n := range names {
		out, err := do(n)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if out != "" {
			io.WriteString(s.Out, out+"\n")
		}
	}
	return errors.Join(errs...)
}
