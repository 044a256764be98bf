// Package credentials finds what docker's configuration file, or the helper it names, knows for a registry, in the
// form that the API's X-Registry-Auth header takes. It must not ask a person anything.
package credentials

import (
	"fmt"

	"github.com/distribution/reference"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"
)

// IndexServer is the key that docker keeps Docker Hub's credentials under.
const IndexServer = "https://index.docker.io/v1/"

// hubNames are the names by which Docker Hub is known.
func isHub(domain string) bool {
	return domain == "" || domain == "docker.io" || domain == "index.docker.io" || domain == "registry-1.docker.io"
}

// Key is the name of a registry in the configuration file.
func Key(server string) string {
	if isHub(server) {
		return IndexServer
	}
	return server
}

// ForImage is the encoded credentials of the image's registry; "" where none are kept.
func ForImage(cfg *configfile.ConfigFile, image string) (string, error) {
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", fmt.Errorf("%q: %w", image, err)
	}
	return ForServer(cfg, reference.Domain(ref))
}

// ForServer is the encoded credentials of a registry; "" where none are kept.
func ForServer(cfg *configfile.ConfigFile, server string) (string, error) {
	a, err := cfg.GetAuthConfig(Key(server))
	if err != nil {
		return "", fmt.Errorf("credentials for %s: %w", server, err)
	}
	if a.Username == "" && a.Password == "" && a.Auth == "" && a.IdentityToken == "" && a.RegistryToken == "" {
		return "", nil
	}
	return authconfig.Encode(registry.AuthConfig{
		Username: a.Username, Password: a.Password, Auth: a.Auth, ServerAddress: a.ServerAddress,
		IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken,
	})
}
