package registry

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/core/remotes/docker/config"
	"github.com/moby/moby/api/types/registry"
)

// DockerHub is the name that references use for docker's own registry, hubHost the machine that serves it.
const (
	DockerHub = "docker.io"
	hubHost   = "registry-1.docker.io"
)

// Config says how registries are reached. The zero value is docker's default.
type Config struct {
	// Mirrors are tried in order before docker.io, and for docker.io only: URLs or host[:port].
	Mirrors []string
	// Insecure registries are spoken to without verifying TLS and, where TLS fails, over plain HTTP: host[:port] or CIDR.
	// 127.0.0.0/8 and ::1 always are.
	Insecure []string
	// CertsDirs are searched in order for a directory named after the registry, with hosts.toml or docker's *.crt,
	// *.cert, *.key files in it.
	CertsDirs []string
	// Proxy chooses the proxy of a request; nil is http.ProxyFromEnvironment.
	Proxy func(*http.Request) (*url.URL, error)
	// UserAgent is sent with every request; may be empty.
	UserAgent string
}

// Client reaches registries as one Config says. It is safe for use by several goroutines.
type Client struct {
	cfg      Config
	prefixes []netip.Prefix
	hosts    map[string]bool
	mirrors  []*url.URL
}

// NewClient checks the configuration: a mirror or insecure registry that cannot be parsed is refused by name.
func NewClient(cfg Config) (*Client, error) {
	c := &Client{cfg: cfg, hosts: map[string]bool{}}
	if c.cfg.Proxy == nil {
		c.cfg.Proxy = http.ProxyFromEnvironment
	}
	for _, entry := range cfg.Insecure {
		if err := c.addInsecure(entry); err != nil {
			return nil, err
		}
	}
	for _, m := range cfg.Mirrors {
		u, err := ParseMirror(m)
		if err != nil {
			return nil, err
		}
		c.mirrors = append(c.mirrors, u)
	}
	return c, nil
}

func (c *Client) addInsecure(entry string) error {
	entry = strings.TrimPrefix(strings.TrimPrefix(entry, "http://"), "https://")
	if p, err := netip.ParsePrefix(entry); err == nil {
		c.prefixes = append(c.prefixes, p.Masked())
		return nil
	}
	if entry == "" || strings.ContainsAny(entry, "/ @?#") {
		return fmt.Errorf("insecure registry %q is not valid: host[:port] or a network in CIDR form is wanted", entry)
	}
	c.hosts[entry] = true
	return nil
}

// ParseMirror reads one entry of registry-mirrors.
func ParseMirror(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("invalid mirror: %q is not a valid URI: %w", s, err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("invalid mirror: unsupported scheme %q in %q", u.Scheme, s)
	case u.Host == "":
		return nil, fmt.Errorf("invalid mirror: no host in %q", s)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("invalid mirror: query or fragment at end of the URI %q", s)
	case u.User != nil:
		return nil, fmt.Errorf("invalid mirror: username/password not allowed in URI %q", u.Redacted())
	}
	return u, nil
}

// Insecure tells whether a registry (host[:port]) may be spoken to without verified TLS.
func (c *Client) Insecure(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	if name == "localhost" || c.hosts[host] || c.hosts[name] {
		return true
	}
	addr, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	if addr.Unmap().IsLoopback() {
		return true
	}
	for _, p := range c.prefixes {
		if p.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

// Resolver makes a resolver whose requests carry auth to the registry named domain and to no other host.
func (c *Client) Resolver(ctx context.Context, domain string, auth *registry.AuthConfig) remotes.Resolver {
	return c.TrackedResolver(ctx, domain, auth, nil)
}

// TrackedResolver is Resolver with a tracker that tells what became of each upload; nil makes one of its own.
func (c *Client) TrackedResolver(ctx context.Context, domain string, auth *registry.AuthConfig, t docker.StatusTracker) remotes.Resolver {
	header := http.Header{}
	if c.cfg.UserAgent != "" {
		header.Set("User-Agent", c.cfg.UserAgent)
	}
	return docker.NewResolver(docker.ResolverOptions{Hosts: c.Hosts(ctx, domain, auth), Headers: header, Tracker: t})
}

// Hosts is the list of machines that serve a registry, in the order in which to try them.
func (c *Client) Hosts(ctx context.Context, domain string, auth *registry.AuthConfig) docker.RegistryHosts {
	return func(name string) ([]docker.RegistryHost, error) {
		hosts, err := config.ConfigureHosts(ctx, c.options(name, domain, auth))(name)
		if err != nil {
			return nil, fmt.Errorf("configuration of registry %s: %w", name, err)
		}
		if token := bearer(auth); token != "" {
			for i := range hosts {
				if hosts[i].Host == hostOf(domain) {
					hosts[i].Authorizer = fixedToken(token)
				}
			}
		}
		if name == DockerHub && c.hostDir(name) == "" {
			hosts = append(c.mirrorHosts(), hosts...)
		}
		return hosts, nil
	}
}

func (c *Client) options(name, domain string, auth *registry.AuthConfig) config.HostOptions {
	o := config.HostOptions{
		HostDir:      func(string) (string, error) { return c.hostDir(name), nil },
		Credentials:  credentials(domain, auth),
		UpdateClient: c.updateClient,
	}
	if c.Insecure(name) && !docker.IsLocalhost(name) {
		// HTTPS first without verification, then plain HTTP: ConfigureHosts does so for a scheme of http with TLS settings.
		o.DefaultTLS = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the administrator named this registry insecure
		o.DefaultScheme = "http"
	}
	return o
}

func (c *Client) updateClient(client *http.Client) error {
	if t, ok := client.Transport.(*http.Transport); ok {
		t.Proxy = c.cfg.Proxy
		t.ResponseHeaderTimeout = responseTimeout
		t.MaxIdleConnsPerHost = 8
	}
	return nil
}

// Web is a client for addresses that are no registry's, with the same proxies and limits.
func (c *Client) Web() *http.Client {
	client := &http.Client{Transport: docker.DefaultHTTPTransport(nil)}
	_ = c.updateClient(client)
	return client
}

// responseTimeout bounds the wait for the head of an answer; the body has a watchdog of its own.
const responseTimeout = 60 * time.Second

// hostDir finds the directory of a registry below one of the certs directories, "" where there is none. Names that are
// not plain hosts are never joined to a path.
func (c *Client) hostDir(host string) string {
	if host == "" || strings.ContainsAny(host, "/\\") || strings.HasPrefix(host, ".") {
		return ""
	}
	for _, root := range c.cfg.CertsDirs {
		dir, err := config.HostDirFromRoot(root)(host)
		if err != nil || dir == "" {
			continue
		}
		if fi, err := os.Stat(dir); err == nil && fi.IsDir() {
			return dir
		}
	}
	return ""
}

func (c *Client) mirrorHosts() []docker.RegistryHost {
	hosts := make([]docker.RegistryHost, 0, len(c.mirrors))
	for _, u := range c.mirrors {
		tlsConfig := &tls.Config{InsecureSkipVerify: c.Insecure(u.Host)} //nolint:gosec // only for registries named insecure
		client := &http.Client{Transport: docker.DefaultHTTPTransport(tlsConfig)}
		_ = c.updateClient(client)
		hosts = append(hosts, docker.RegistryHost{
			Client:       client,
			Authorizer:   docker.NewDockerAuthorizer(docker.WithAuthClient(client)),
			Host:         u.Host,
			Scheme:       u.Scheme,
			Path:         strings.TrimSuffix(u.Path, "/") + "/v2",
			Capabilities: docker.HostCapabilityPull | docker.HostCapabilityResolve,
		})
	}
	return hosts
}

// hostOf is the machine that serves a registry.
func hostOf(domain string) string {
	if domain == DockerHub || domain == "index.docker.io" {
		return hubHost
	}
	return domain
}
