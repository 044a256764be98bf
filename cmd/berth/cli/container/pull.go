package container

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/berthhq/berth/cmd/berth/cli/credentials"
	"github.com/berthhq/berth/cmd/berth/cli/progress"
	"github.com/berthhq/berth/cmd/berth/cli/session"
)

// The values of --pull.
const (
	pullAlways  = "always"
	pullMissing = "missing"
	pullNever   = "never"
)

func checkPull(policy string) error {
	switch policy {
	case pullAlways, pullMissing, pullNever, "":
		return nil
	}
	return fmt.Errorf(`invalid pull option: '%s': must be one of "%s", "%s" or "%s"`, policy, pullAlways, pullMissing, pullNever)
}

// pullImage fetches the image of a container that is to be created; its progress is no output of the command.
func pullImage(ctx context.Context, s *session.Session, api client.APIClient, image string, platform *ocispec.Platform, quiet bool) error {
	auth, err := credentials.ForImage(s.Config(), image)
	if err != nil {
		return err
	}
	o := client.ImagePullOptions{RegistryAuth: auth}
	if platform != nil {
		o.Platforms = []ocispec.Platform{*platform}
	}
	resp, err := api.ImagePull(ctx, image, o)
	if err != nil {
		return err
	}
	if quiet {
		return progress.Drain(ctx, resp)
	}
	return progress.Show(ctx, resp, s.Err)
}

func parsePlatform(s string) (*ocispec.Platform, error) {
	if s == "" {
		return nil, nil
	}
	p, err := platforms.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("error parsing specified platform: %w", err)
	}
	return &p, nil
}

// familiar is the image's name as a person writes it, with its tag: "ubuntu:latest". An ID stays as it is.
func familiar(image string) string {
	ref, err := reference.ParseAnyReference(image)
	if err != nil {
		return image
	}
	named, ok := ref.(reference.Named)
	if !ok {
		return image
	}
	return reference.FamiliarString(reference.TagNameOnly(named))
}

// imageMissing tells a missing image from other things that a creation may miss, such as a network.
func imageMissing(err error) bool {
	return strings.Contains(strings.ToLower(err.Error()), "no such image")
}
