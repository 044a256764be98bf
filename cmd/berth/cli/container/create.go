package container

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/image"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/runflags"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"
)

func newCreate(s *session.Session) *cobra.Command {
	var quiet bool
	c := &cobra.Command{Use: "create [OPTIONS] IMAGE [COMMAND] [ARG...]", Short: "Create a new container", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: image.Complete(s)}
	f := c.Flags()
	f.SetInterspersed(false)
	flags := runflags.New(f)
	f.BoolVarP(&quiet, "quiet", "q", false, "Suppress the pull output")
	c.RunE = func(c *cobra.Command, args []string) error {
		spec, err := flags.Build(f, args[0], args[1:])
		if err != nil {
			return failed125(err)
		}
		id, err := create(c.Context(), s, flags, spec, quiet)
		if err != nil {
			return err // 1, where run would say 125
		}
		_, err = fmt.Fprintln(s.Out, id)
		return err
	}
	return c
}

// failed125 marks a failure of ours, or of the engine, as opposed to the container's own (docker's exit codes).
func failed125(err error) error { return &session.ExitError{Code: 125, Err: err} }

// lacksImage tells whether a container could not be made for want of its image, or of a platform of it.
func lacksImage(err error) bool {
	return strings.Contains(err.Error(), "No such image") || strings.Contains(err.Error(), "does not provide the specified platform")
}

// create makes a container, and gets its image where it is missing and may be pulled.
func create(ctx context.Context, s *session.Session, flags *runflags.Flags, spec *runflags.Spec, quiet bool) (id string, err error) {
	cl, err := s.Client()
	if err != nil {
		return "", err
	}
	if _, err := reference.ParseAnyReference(spec.Config.Image); err != nil {
		return "", errdefs.Invalid("%w: %q", err, spec.Config.Image)
	}
	platform, err := platformOf(flags.Platform)
	if err != nil {
		return "", err
	}
	cid, err := openCIDFile(flags.CIDFile)
	if err != nil {
		return "", err
	}
	if cid != nil {
		defer func() {
			cid.Close()
			if err != nil {
				os.Remove(flags.CIDFile)
			}
		}()
	}
	pull := func() error { return image.Pull(ctx, s, spec.Config.Image, flags.Platform, quiet, s.Err) }
	if flags.Pull == "always" {
		if err := pull(); err != nil {
			return "", err
		}
	}
	opts := client.ContainerCreateOptions{Config: spec.Config, HostConfig: spec.Host, NetworkingConfig: spec.Network, Platform: platform, Name: flags.Name}
	resp, err := cl.ContainerCreate(ctx, opts)
	if cerrdefs.IsNotFound(err) && flags.Pull == "missing" && lacksImage(err) {
		if !quiet {
			fmt.Fprintf(s.Err, "Unable to find image '%s' locally\n", image.Familiar(spec.Config.Image))
		}
		if err := pull(); err != nil {
			return "", err
		}
		resp, err = cl.ContainerCreate(ctx, opts)
	}
	if err != nil {
		return "", err
	}
	for _, w := range resp.Warnings {
		fmt.Fprintln(s.Err, "WARNING:", w)
	}
	if cid != nil {
		if _, err := cid.WriteString(resp.ID); err != nil {
			return "", errdefs.System("failed to write the container ID to the file %s: %w", flags.CIDFile, err)
		}
	}
	return resp.ID, nil
}

func platformOf(p string) (*ocispec.Platform, error) {
	if p == "" {
		return nil, nil
	}
	parsed, err := platforms.Parse(p)
	if err != nil {
		return nil, errdefs.Invalid("invalid platform %q: %w", p, err)
	}
	return &parsed, nil
}

// openCIDFile makes the file for the container's ID; one that exists is somebody's.
func openCIDFile(path string) (*os.File, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if os.IsExist(err) {
		return nil, errdefs.Invalid("container ID file found, make sure the other container isn't running or delete %s", path)
	}
	if err != nil {
		return nil, errdefs.Invalid("failed to create the container ID file: %w", err)
	}
	return f, nil
}
