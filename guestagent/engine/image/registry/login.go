package registry

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/moby/moby/api/types/registry"
)

// Domain is the registry that a server address of docker's clients means: a host, with or without a scheme; "" and the
// address of docker's old index are docker.io.
func Domain(server string) string {
	server = strings.TrimPrefix(strings.TrimPrefix(server, "http://"), "https://")
	server, _, _ = strings.Cut(server, "/")
	switch server {
	case "", "index.docker.io", "registry-1.docker.io", DockerHub:
		return DockerHub
	}
	return server
}

// Login tries credentials at a registry. Errors: Unauthorized where they are refused.
func (c *Client) Login(ctx context.Context, auth *registry.AuthConfig) error {
	domain := Domain(auth.ServerAddress)
	hosts, err := c.Hosts(ctx, domain, auth)(domain)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if h.Host == hostOf(domain) {
			return Translate(ping(ctx, h), Access{Ref: domain, Repository: domain, LoggedIn: true, Push: true})
		}
	}
	return errdefs.Invalid("registry %s is not reached under its own name: log in where its mirror is", domain)
}

// ping asks for the registry's root, answering one challenge.
func ping(ctx context.Context, h docker.RegistryHost) error {
	// Docker's own token server gives a token to anybody unless a scope is asked for.
	var responses []*http.Response
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.Scheme+"://"+h.Host+h.Path+"/", nil)
		if err != nil {
			return err
		}
		if err := h.Authorizer.Authorize(ctx, req); err != nil {
			return err
		}
		resp, err := h.Client.Do(req)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
		_ = resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusOK:
			return nil
		case resp.StatusCode != http.StatusUnauthorized:
			return errdefs.System("login attempt to %s failed with status: %s", req.URL, resp.Status)
		case len(responses) > 0: // docker's words where a token was not refused before
			return errdefs.System("login attempt to %s failed with status: %s", resp.Request.URL, resp.Status)
		}
		responses = append(responses, resp)
		if err := h.Authorizer.AddResponses(ctx, responses); err != nil {
			return err
		}
	}
}
