package container

import (
	"context"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

type startOptions struct {
	attach, interactive bool
	detachKeys          string
}

func newStart(s *session.Session) *cobra.Command {
	var o startOptions
	c := &cobra.Command{Use: "start [OPTIONS] CONTAINER [CONTAINER...]", Short: "Start one or more stopped containers", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: complete(s, true),
		RunE:              func(c *cobra.Command, args []string) error { return runStart(c.Context(), s, &o, args) }}
	f := c.Flags()
	f.BoolVarP(&o.attach, "attach", "a", false, "Attach STDOUT/STDERR and forward signals")
	f.BoolVarP(&o.interactive, "interactive", "i", false, "Attach container's STDIN")
	f.StringVar(&o.detachKeys, "detach-keys", "", "Override the key sequence for detaching a container")
	return c
}

func runStart(ctx context.Context, s *session.Session, o *startOptions, names []string) error {
	cl, err := s.Client()
	if err != nil {
		return err
	}
	if !o.attach && !o.interactive {
		return s.Each(names, func(n string) (string, error) {
			_, err := cl.ContainerStart(ctx, n, client.ContainerStartOptions{})
			return n, err
		})
	}
	if len(names) > 1 {
		return errdefs.Invalid("you cannot start and attach multiple containers at once")
	}
	info, err := cl.ContainerInspect(ctx, names[0], client.ContainerInspectOptions{})
	if err != nil {
		return err
	}
	ct := info.Container
	a := &attachment{s: s, cl: cl, id: ct.ID, tty: ct.Config.Tty, stdin: o.interactive && ct.Config.OpenStdin, stdout: true, stderr: true, keys: o.detachKeys, sigProxy: true,
		midway: ct.State.Running, was: ct.State.StartedAt}
	if ct.State.Running {
		a.was = notStarted
	}
	return a.run(ctx, func() error {
		_, err := cl.ContainerStart(ctx, ct.ID, client.ContainerStartOptions{})
		return err
	}, ct.HostConfig.AutoRemove)
}
