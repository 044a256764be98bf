package container

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/docker/cli/cli/config/configfile"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/berthhq/berth/cmd/berth/cli/runflags"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/paths"
)

// socketConfigDir is where a container with the API's socket finds credentials.
const socketConfigDir = "/run/secrets/docker"

// offerSocket is --use-api-socket: the engine's socket is mounted and, where the container sets no DOCKER_CONFIG of
// its own, the credentials are copied in by the function returned, once the container is made.
func offerSocket(ctx context.Context, s *session.Session, api client.APIClient, spec *runflags.Spec) (func(id string) error, error) {
	spec.HostConfig.Mounts = append(spec.HostConfig.Mounts, mount.Mount{
		Type: mount.TypeBind, Source: paths.DockerSocket, Target: paths.DockerSocket, BindOptions: &mount.BindOptions{},
	})
	for _, e := range spec.Config.Env {
		if strings.HasPrefix(e, "DOCKER_CONFIG=") {
			return nil, nil
		}
	}
	creds, err := s.Config().GetAllCredentials()
	if err != nil {
		return nil, fmt.Errorf("resolving credentials: %w", err)
	}
	if len(creds) == 0 {
		return nil, nil
	}
	spec.Config.Env = append(spec.Config.Env, "DOCKER_CONFIG="+socketConfigDir)
	cfg := configfile.New("")
	cfg.AuthConfigs = creds
	var body bytes.Buffer
	if err := cfg.SaveToWriter(&body); err != nil {
		return nil, fmt.Errorf("resolving credentials: %w", err)
	}
	return func(id string) error { return copySecret(ctx, api, id, body.Bytes()) }, nil
}

func copySecret(ctx context.Context, api client.APIClient, id string, body []byte) error {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	name := strings.TrimPrefix(socketConfigDir, "/") + "/config.json"
	if err := t.WriteHeader(&tar.Header{Name: name, Size: int64(len(body)), Mode: 0o600}); err != nil {
		return err
	}
	if _, err := t.Write(body); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	_, err := api.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: "/", Content: &b})
	if err != nil {
		return fmt.Errorf("injecting docker config.json into container %s: %w", id, err)
	}
	return nil
}
