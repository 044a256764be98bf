package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/moby/moby/api/types/registry"
)

// searchHost answers searches of docker.io: not the machine that has the images.
const searchHost = "index.docker.io"

// Bounds of a search.
const (
	defaultResults = 25
	maxResults     = 100
	maxSearchBytes = 4 << 20
	catalogPage    = 1000
)

// Search asks a registry for repositories: "word" docker.io, "registry.example/word" that one. It speaks the old search of
// docker's index; a registry without it is asked for its catalogue, which knows names only. Errors: Invalid.
func (c *Client) Search(ctx context.Context, term string, limit int, auth *registry.AuthConfig) ([]registry.SearchResult, error) {
	if strings.HasPrefix(term, "http://") || strings.HasPrefix(term, "https://") {
		return nil, errdefs.Invalid("invalid repository name: repository name (%s) should not have a scheme", term)
	}
	if limit == 0 {
		limit = defaultResults
	}
	if limit < 1 || limit > maxResults {
		return nil, errdefs.Invalid("limit %d is outside the range of [1, %d]", limit, maxResults)
	}
	domain, word := splitTerm(term)
	hosts, err := c.Hosts(ctx, domain, auth)(domain)
	if err != nil {
		return nil, err
	}
	for _, h := range hosts {
		if h.Host != hostOf(domain) {
			continue // a mirror, which has no index
		}
		if domain == DockerHub {
			h.Host, h.Authorizer = searchHost, basic{auth}
		}
		list, err := search(ctx, h, word, limit)
		return list, Translate(err, Access{Ref: domain, Repository: domain, LoggedIn: HasCredentials(auth), Push: true})
	}
	return nil, errdefs.Invalid("registry %s is not reached under its own name: search where its mirror is", domain)
}

// splitTerm parts the registry from what is searched for there.
func splitTerm(term string) (domain, word string) {
	first, rest, ok := strings.Cut(term, "/")
	if !ok || !strings.ContainsAny(first, ".:") && first != "localhost" {
		return DockerHub, strings.TrimPrefix(term, "library/")
	}
	if domain = Domain(first); domain == DockerHub {
		rest = strings.TrimPrefix(rest, "library/")
	}
	return domain, rest
}

func search(ctx context.Context, h docker.RegistryHost, word string, limit int) ([]registry.SearchResult, error) {
	q := url.Values{"q": {word}, "n": {strconv.Itoa(limit)}}
	var found registry.SearchResults
	status, _, err := get(ctx, h, h.Scheme+"://"+h.Host+"/v1/search?"+q.Encode(), &found)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusOK:
		return tidied(found.Results, limit), nil
	case status == http.StatusNotFound && h.Host != searchHost:
		return catalog(ctx, h, word, limit)
	}
	return nil, errdefs.System("Unexpected status code %d", status) // docker's sentence
}

// catalog looks for a word in the names of all repositories of a registry.
func catalog(ctx context.Context, h docker.RegistryHost, word string, limit int) ([]registry.SearchResult, error) {
	ctx = docker.WithScope(ctx, "registry:catalog:*")
	var out []registry.SearchResult
	status, err := pages(ctx, h, fmt.Sprintf("%s/_catalog?n=%d", h.Path, catalogPage), func(p page) bool {
		for _, name := range p.Repositories {
			if strings.Contains(name, word) {
				out = append(out, registry.SearchResult{Name: name})
			}
		}
		return len(out) < limit
	})
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, errdefs.System("registry %s can neither search nor list what it has: status code %d", h.Host, status)
	}
	return tidied(out, limit), nil
}

// tidied is at most limit results without control characters, which would reach a person's terminal.
func tidied(list []registry.SearchResult, limit int) []registry.SearchResult {
	out := make([]registry.SearchResult, 0, min(len(list), limit))
	for _, r := range list[:min(len(list), limit)] {
		r.Name = clean(r.Name, 255)
		r.Description = clean(strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(r.Description), 2000)
		r.IsAutomated = false //nolint:staticcheck // docker tells so of all, whatever the index says
		out = append(out, r)
	}
	return out
}

// get reads a JSON document, answering one challenge; of another status than 200 the body is not read.
func get(ctx context.Context, h docker.RegistryHost, at string, v any) (int, http.Header, error) {
	var responses []*http.Response
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
		if err != nil {
			return 0, nil, err
		}
		if h.Authorizer != nil {
			if err := h.Authorizer.Authorize(ctx, req); err != nil {
				return 0, nil, err
			}
		}
		resp, err := h.Client.Do(req)
		if err != nil {
			return 0, nil, err
		}
		if resp.StatusCode == http.StatusOK {
			defer resp.Body.Close()
			err = json.NewDecoder(io.LimitReader(resp.Body, maxSearchBytes)).Decode(v)
			if err != nil {
				err = errdefs.System("the answer of %s cannot be read: %w", h.Host, err)
			}
			return resp.StatusCode, resp.Header, err
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			return resp.StatusCode, resp.Header, nil
		}
		responses = append(responses, resp)
		if len(responses) > 1 || h.Authorizer == nil || h.Authorizer.AddResponses(ctx, responses) != nil {
			return 0, nil, errdefs.Unauthorized("unauthorized: authentication required")
		}
	}
}

// basic sends a user's name and password, as docker's index wants them.
type basic struct{ auth *registry.AuthConfig }

func (b basic) Authorize(_ context.Context, req *http.Request) error {
	if user, secret := userSecret(b.auth); user != "" {
		req.SetBasicAuth(user, secret)
	}
	return nil
}

func (basic) AddResponses(context.Context, []*http.Response) error {
	return errdefs.Unauthorized("unauthorized: incorrect username or password")
}
