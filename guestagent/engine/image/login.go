//go:build linux

package image

import (
	"context"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/registry"
)

// RegistryLogin tries credentials at the registry of auth.ServerAddress. Nothing is kept: the client stores them.
// Errors: Unauthorized "unauthorized: …" where they are refused.
func (s *Service) RegistryLogin(ctx context.Context, auth *registry.AuthConfig) (registry.AuthResponse, error) {
	if auth == nil {
		return registry.AuthResponse{}, errdefs.Invalid("no credentials were given")
	}
	if err := s.registry.Login(ctx, auth); err != nil {
		return registry.AuthResponse{}, err
	}
	return registry.AuthResponse{Status: "Login Succeeded"}, nil
}
