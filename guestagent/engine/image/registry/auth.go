package registry

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/registry"
)

// HasCredentials tells whether auth holds anything to log in with.
func HasCredentials(auth *registry.AuthConfig) bool {
	user, secret := userSecret(auth)
	return user != "" || secret != "" || bearer(auth) != ""
}

// credentials gives the credentials to the host of domain alone: never to a mirror or a redirect's target.
func credentials(domain string, auth *registry.AuthConfig) func(string) (string, string, error) {
	user, secret := userSecret(auth)
	return func(host string) (string, string, error) {
		if host != hostOf(domain) {
			return "", "", nil
		}
		return user, secret, nil
	}
}

// userSecret reads what docker's clients send: an identity token (no user name), user and password, or both in "auth".
func userSecret(auth *registry.AuthConfig) (user, secret string) {
	switch {
	case auth == nil:
		return "", ""
	case auth.IdentityToken != "":
		return "", auth.IdentityToken
	case auth.Username != "" || auth.Password != "":
		return auth.Username, auth.Password
	case auth.Auth != "":
		b, err := base64.StdEncoding.DecodeString(auth.Auth)
		if err != nil {
			return "", ""
		}
		user, secret, _ = strings.Cut(string(b), ":")
		return user, strings.TrimRight(secret, "\x00")
	}
	return "", ""
}

func bearer(auth *registry.AuthConfig) string {
	if auth == nil {
		return ""
	}
	return auth.RegistryToken
}

// fixedToken authorizes with a bearer token that the client already has.
type fixedToken string

func (t fixedToken) Authorize(_ context.Context, req *http.Request) error {
	req.Header.Set("Authorization", "Bearer "+string(t))
	return nil
}

func (t fixedToken) AddResponses(context.Context, []*http.Response) error {
	return errdefs.ErrNotImplemented
}
