package registry

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/registry"
)

// maxPages bounds how long a list of a registry may go on.
const maxPages = 20

// Tags lists the tags of a repository. Errors: NotFound for one that is not there.
func (c *Client) Tags(ctx context.Context, repo reference.Named, auth *registry.AuthConfig) ([]string, error) {
	domain := reference.Domain(repo)
	access := Access{Ref: reference.FamiliarName(repo), Repository: reference.FamiliarName(repo), LoggedIn: HasCredentials(auth)}
	hosts, err := c.Hosts(ctx, domain, auth)(domain)
	if err != nil {
		return nil, err
	}
	ctx = docker.WithScope(ctx, "repository:"+reference.Path(repo)+":pull")
	for _, h := range hosts {
		if h.Host != hostOf(domain) {
			continue // a mirror, which need not know all
		}
		var tags []string
		status, err := pages(ctx, h, h.Path+"/"+reference.Path(repo)+"/tags/list?n=1000", func(p page) bool {
			tags = append(tags, p.Tags...)
			return true
		})
		switch {
		case err != nil:
			return nil, Translate(err, access)
		case status == http.StatusNotFound:
			return nil, errdefs.NotFound("repository %s not found: name unknown: repository name not known to registry", access.Repository)
		case status != http.StatusOK:
			return nil, errdefs.System("received unexpected HTTP status: %d %s", status, http.StatusText(status))
		}
		return tags, nil
	}
	return nil, errdefs.Invalid("registry %s is not reached under its own name: pull single tags from its mirror", domain)
}

// page is a part of a list: of the repositories of a registry, or of the tags of a repository.
type page struct{ Repositories, Tags []string }

// pages reads a list part by part while each wants more, never from another host. A status other than 200 ends it.
func pages(ctx context.Context, h docker.RegistryHost, next string, each func(page) bool) (status int, err error) {
	base := &url.URL{Scheme: h.Scheme, Host: h.Host}
	for range maxPages {
		at, err := base.Parse(next)
		if err != nil || at.Host != base.Host || at.Scheme != base.Scheme {
			return 0, errdefs.System("the list of %s goes on at %q, which is elsewhere", h.Host, next)
		}
		var p page
		status, head, err := get(ctx, h, at.String(), &p)
		if err != nil || status != http.StatusOK {
			return status, err
		}
		link := head.Get("Link")
		from, to := strings.IndexByte(link, '<'), strings.IndexByte(link, '>')
		if !each(p) || from < 0 || to < from {
			break
		}
		next = link[from+1 : to]
	}
	return http.StatusOK, nil
}
