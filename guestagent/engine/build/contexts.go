//go:build linux

package build

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/buildkit/identity"
)

// contextHost begins the host of the addresses under which BuildKit finds the contexts that came with requests. The
// rest is random, so that no Dockerfile can name another build's.
const contextHost = "build-context-"

// contexts gives BuildKit's source of files from the web the bodies of requests, too.
type contexts struct {
	web http.RoundTripper

	mu     sync.Mutex
	bodies map[string]io.Reader
}

func newContexts(web http.RoundTripper) *contexts {
	return &contexts{web: web, bodies: map[string]io.Reader{}}
}

// offer makes a body available, once, until done is called.
func (c *contexts) offer(body io.Reader) (url string, done func()) {
	host := contextHost + identity.NewID()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bodies[host] = body
	return "http://" + host, func() { c.take(host) }
}

func (c *contexts) take(host string) io.Reader {
	c.mu.Lock()
	defer c.mu.Unlock()
	body := c.bodies[host]
	delete(c.bodies, host)
	return body
}

// RoundTrip answers with a body that was offered, and passes all else on to the web.
func (c *contexts) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Host, contextHost) {
		return c.web.RoundTrip(r)
	}
	if r.Method != http.MethodGet {
		return nil, errdefs.Invalid("a build's context is only read")
	}
	body := c.take(r.URL.Host)
	if body == nil {
		return nil, errdefs.NotFound("the build's context is not there any more")
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(body), ContentLength: -1, Request: r,
	}, nil
}
