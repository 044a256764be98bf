package container

import (
	"context"
	"errors"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/stream"
)

type startOptions struct {
	attach, interactive bool
	detachKeys          string
	checkpoint, dir     string
}

// NewStart is the verb start.
func NewStart(s *session.Session) *cobra.Command {
	var o startOptions
	cmd := &cobra.Command{
		Use:               "start [OPTIONS] CONTAINER [CONTAINER...]",
		Short:             "Start one or more stopped containers",
		Args:              session.MinArgs(1),
		ValidArgsFunction: completion.Startable(s),
		RunE:              func(cmd *cobra.Command, args []string) error { return runStart(cmd.Context(), s, &o, args) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.attach, "attach", "a", false, "Attach STDOUT/STDERR and forward signals")
	fs.BoolVarP(&o.interactive, "interactive", "i", false, "Attach container's STDIN")
	fs.StringVar(&o.detachKeys, "detach-keys", "", "Override the key sequence for detaching a container")
	fs.StringVar(&o.checkpoint, "checkpoint", "", "Restore from this checkpoint")
	fs.StringVar(&o.dir, "checkpoint-dir", "", "Use a custom checkpoint storage directory")
	return cmd
}

func runStart(ctx context.Context, s *session.Session, o *startOptions, names []string) error {
	if err := stream.CheckDetachKeys(o.detachKeys); err != nil {
		return err
	}
	api, err := s.API()
	if err != nil {
		return err
	}
	so := client.ContainerStartOptions{CheckpointID: o.checkpoint, CheckpointDir: o.dir}
	if !o.attach && !o.interactive {
		return s.Each(ctx, names, func(ctx context.Context, name string) error {
			_, err := api.ContainerStart(ctx, name, so)
			return err
		})
	}
	if len(names) > 1 {
		return errors.New("you cannot start and attach multiple containers at once")
	}
	return startAttached(ctx, s, api, names[0], o, so)
}

func startAttached(ctx context.Context, s *session.Session, api client.APIClient, name string, o *startOptions, so client.ContainerStartOptions) error {
	ins, err := api.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
	if err != nil {
		return err
	}
	c := ins.Container
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := streamsWanted{
		stdin: o.interactive && c.Config.OpenStdin, stdout: true, stderr: true,
		tty: c.Config.Tty, detachKeys: keysOf(s, o.detachKeys),
	}
	if err := s.In.CheckTty(w.stdin, w.tty); err != nil {
		return err
	}
	exit, asked := waitExit(ctx, api, c.ID, c.HostConfig.AutoRemove)
	att, err := attachTo(ctx, s, api, c.ID, w)
	if err != nil {
		return err
	}
	defer att.close()
	sig := &forwarder{}
	if !w.tty {
		sig = forwardSignals(ctx, s, api, c.ID)
		defer sig.stop()
	}
	<-asked
	if _, err := api.ContainerStart(ctx, c.ID, so); err != nil {
		att.close()
		return err
	}
	if w.tty {
		watchSize(ctx, s, func(ctx context.Context, size client.ContainerResizeOptions) error {
			_, err := api.ContainerResize(ctx, c.ID, size)
			return err
		})
	} else {
		sig.started()
	}
	return finish(att, exit, sig.leave, true)
}
