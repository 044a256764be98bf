// Package endpoint decides which engine a command talks to and starts berth's own where none answers. It dials; it
// does not speak the API. It is used by command lines only, never by the engine.
package endpoint

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// Source says what decided the endpoint.
type Source int

// The sources, strongest first.
const (
	SourceFlag    Source = iota // --host or --context
	SourceEnv                   // BERTH_HOST, DOCKER_HOST or DOCKER_CONTEXT
	SourceContext               // the current docker context
	SourceDefault               // berth's own engine
)

// DefaultContext is the name of the context that means "berth's own engine".
const DefaultContext = "default"

// EnvContext names a docker context, as every docker client reads it.
const EnvContext = "DOCKER_CONTEXT"

// Endpoint is an engine's address.
type Endpoint struct {
	Host    string // unix:///path, tcp://host:port, npipe:////./pipe/name
	Context string // the docker context it came from, "default" if none
	Source  Source
	TLS     *TLSFiles // nil: plain
	Layout  paths.Layout
}

// TLSFiles are the client certificate's files; an empty name is left out.
type TLSFiles struct {
	CA, Cert, Key string
	SkipVerify    bool
}

// Query is what a person said about the engine.
type Query struct {
	Host      string              // --host
	Context   string              // --context
	Current   string              // currentContext of docker's config file
	ConfigDir string              // ~/.docker, or where DOCKER_CONFIG points
	Getenv    func(string) string // the environment
	TLS       TLSOptions          // --tls and what belongs to it
}

// Resolve finds the endpoint: --host, --context, BERTH_HOST, DOCKER_HOST, DOCKER_CONTEXT, the current context, and
// last that of berth's own engine: natively on Linux, elsewhere in the virtual machine that is called default. It touches the disk only for contexts. A context that does not exist
// is an error of KindNotFound.
func Resolve(q Query) (Endpoint, error) { return resolve(runtime.GOOS, q) }

func resolve(goos string, q Query) (Endpoint, error) {
	layout := paths.For(q.Getenv(paths.EnvRoot))
	own := Endpoint{Host: ownHost(goos, layout, q.Getenv), Context: DefaultContext, Source: SourceDefault, Layout: layout}
	if q.Host != "" && q.Context != "" {
		return Endpoint{}, errdefs.Invalid("conflicting options: cannot specify both --host and --context")
	}
	switch {
	case q.Host != "":
		return fromHost(own, q, q.Host, SourceFlag)
	case q.Context != "":
		return fromContext(own, q, q.Context, SourceFlag)
	}
	for _, name := range []string{paths.EnvHost, paths.EnvDockerHost} {
		if h := q.Getenv(name); h != "" {
			return fromHost(own, q, h, SourceEnv)
		}
	}
	if c := q.Getenv(EnvContext); c != "" {
		return fromContext(own, q, c, SourceEnv)
	}
	if q.Current != "" {
		return fromContext(own, q, q.Current, SourceContext)
	}
	return own, nil
}

// MachinePipe is the Docker API of the machine "default" on Windows.
const MachinePipe = "npipe:////./pipe/berth_engine"

// ownHost is the address of berth's own engine.
func ownHost(goos string, native paths.Layout, getenv func(string) string) string {
	switch goos {
	case "linux":
		return "unix://" + native.Socket()
	case "windows":
		return MachinePipe
	}
	return "unix://" + paths.MachineNamed(paths.DefaultMachine, getenv).DockerSocket()
}

// OwnHost is the address of berth's own engine on this computer, whatever the endpoint is.
func (e Endpoint) OwnHost(getenv func(string) string) string {
	return ownHost(runtime.GOOS, e.Layout, getenv)
}

// IsOwn reports whether the endpoint is berth's own engine, natively on this computer.
func (e Endpoint) IsOwn() bool { return e.Host == "unix://"+e.Layout.Socket() }

// Machine is the virtual machine of berth's that the engine is in; false where it is in none.
func (e Endpoint) Machine(getenv func(string) string) (paths.Machine, bool) {
	if e.Host == MachinePipe {
		return paths.MachineNamed(paths.DefaultMachine, getenv), true
	}
	socket, ok := strings.CutPrefix(e.Host, "unix://")
	if !ok {
		return paths.Machine{}, false
	}
	return paths.MachineAt(socket, getenv)
}

func fromHost(own Endpoint, q Query, host string, src Source) (Endpoint, error) {
	h, err := parseHost(host, "2375")
	if err != nil {
		return Endpoint{}, err
	}
	e := Endpoint{Host: h, Context: DefaultContext, Source: src, Layout: own.Layout}
	if !strings.HasPrefix(h, "tcp://") && !strings.HasPrefix(h, "https://") {
		return e, nil
	}
	if e.TLS = q.TLS.files(q); e.TLS != nil {
		e.Host, err = parseHost(host, "2376")
	}
	return e, err
}

func fromContext(own Endpoint, q Query, name string, src Source) (Endpoint, error) {
	if name == DefaultContext {
		own.Source = src
		return own, nil
	}
	store := Contexts{Dir: q.ConfigDir}
	c, err := store.Get(name)
	if err != nil {
		return Endpoint{}, err
	}
	h, err := ParseHost(c.Host)
	if err != nil {
		return Endpoint{}, err
	}
	return Endpoint{Host: h, Context: name, Source: src, TLS: store.TLS(c), Layout: own.Layout}, nil
}

// ParseHost checks an address and completes the short forms that docker takes: a path, "tcp://host" without a port,
// "host:port". ssh:// is refused with advice.
func ParseHost(host string) (string, error) { return parseHost(host, "2375") }

func parseHost(host, port string) (string, error) {
	host = strings.TrimSpace(host)
	if strings.HasPrefix(host, "/") {
		return "unix://" + host, nil
	}
	proto, addr, ok := strings.Cut(host, "://")
	if !ok {
		proto, addr = "tcp", host
	}
	if addr == "" {
		return "", errdefs.Invalid("invalid engine address %q", host).WithHint("Use unix:///path/to/socket or tcp://host:port.")
	}
	switch proto {
	case "unix", "npipe", "fd":
		return proto + "://" + addr, nil
	case "tcp", "http", "https":
		if !strings.Contains(strings.TrimPrefix(addr, "["), ":") {
			addr += ":" + port
		}
		return proto + "://" + addr, nil
	case "ssh":
		return "", errdefs.NotImplemented("berth does not connect over ssh: %s", host).
			WithHint("Forward the socket with: ssh -nNT -L /tmp/engine.sock:%s HOST, then use -H unix:///tmp/engine.sock", paths.DockerSocket)
	}
	return "", errdefs.Invalid("unknown protocol %q of the engine's address %q", proto, host).
		WithHint("Use unix:///path/to/socket or tcp://host:port.")
}

// String is the endpoint as a person reads it.
func (e Endpoint) String() string { return fmt.Sprintf("%s (context %s)", e.Host, e.Context) }
