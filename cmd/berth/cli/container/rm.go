package container

import (
	"context"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
)

// NewRm is the verb rm.
func NewRm(s *session.Session) *cobra.Command {
	var o client.ContainerRemoveOptions
	cmd := &cobra.Command{
		Use:               "rm [OPTIONS] CONTAINER [CONTAINER...]",
		Aliases:           []string{"remove"},
		Short:             "Remove one or more containers",
		Args:              session.MinArgs(1),
		ValidArgsFunction: completion.Containers(s),
		RunE:              func(cmd *cobra.Command, args []string) error { return runRm(cmd.Context(), s, o, args) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.RemoveVolumes, "volumes", "v", false, "Remove anonymous volumes associated with the container")
	fs.BoolVarP(&o.RemoveLinks, "link", "l", false, "Remove the specified link")
	fs.BoolVarP(&o.Force, "force", "f", false, "Force the removal of a running container (uses SIGKILL)")
	return cmd
}

func runRm(ctx context.Context, s *session.Session, o client.ContainerRemoveOptions, names []string) error {
	api, err := s.API()
	if err != nil {
		return err
	}
	return s.Each(ctx, names, func(ctx context.Context, name string) error {
		name = strings.Trim(name, "/")
		if name == "" {
			return errdefs.Invalid("container name cannot be empty")
		}
		_, err := api.ContainerRemove(ctx, name, o)
		if o.Force && cerrdefs.IsNotFound(err) { // docker: -f says it and succeeds
			_, _ = s.Err.Write([]byte("Error response from daemon: No such container: " + name + "\n"))
			return nil
		}
		return err
	})
}
