package container

import (
	"context"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/stream"
)

type attachOptions struct {
	noStdin, sigProxy bool
	detachKeys        string
}

// NewAttach is the verb attach.
func NewAttach(s *session.Session) *cobra.Command {
	var o attachOptions
	cmd := &cobra.Command{
		Use:               "attach [OPTIONS] CONTAINER",
		Short:             "Attach local standard input, output, and error streams to a running container",
		Args:              session.ExactArgs(1),
		ValidArgsFunction: completion.Then(completion.Containers(s, container.StateRunning)),
		RunE:              func(cmd *cobra.Command, args []string) error { return runAttach(cmd.Context(), s, &o, args[0]) },
	}
	fs := cmd.Flags()
	fs.BoolVar(&o.noStdin, "no-stdin", false, "Do not attach STDIN")
	fs.BoolVar(&o.sigProxy, "sig-proxy", true, "Proxy all received signals to the process")
	fs.StringVar(&o.detachKeys, "detach-keys", "", "Override the key sequence for detaching a container")
	return cmd
}

func runAttach(ctx context.Context, s *session.Session, o *attachOptions, name string) error {
	if err := stream.CheckDetachKeys(o.detachKeys); err != nil {
		return err
	}
	api, err := s.API()
	if err != nil {
		return err
	}
	ins, err := api.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
	if err != nil {
		return err
	}
	c := ins.Container
	if err := attachable(name, c); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := streamsWanted{
		stdin: !o.noStdin && c.Config.OpenStdin, stdout: true, stderr: true,
		tty: c.Config.Tty, detachKeys: keysOf(s, o.detachKeys),
	}
	if err := s.In.CheckTty(w.stdin, w.tty); err != nil {
		return err
	}
	exit, asked := waitNow(ctx, api, c.ID)
	<-asked
	att, err := attachTo(ctx, s, api, c.ID, w)
	if err != nil {
		return err
	}
	defer att.close()
	sig := &forwarder{}
	if o.sigProxy && !w.tty {
		sig = forwardSignals(ctx, s, api, c.ID)
		defer sig.stop()
		sig.started()
	}
	if w.tty {
		watchSize(ctx, s, func(ctx context.Context, size client.ContainerResizeOptions) error {
			_, err := api.ContainerResize(ctx, c.ID, size)
			return err
		})
	}
	return finish(att, exit, sig.leave, true)
}

func attachable(name string, c container.InspectResponse) error {
	switch {
	case !c.State.Running:
		return errdefs.Conflict("cannot attach to a stopped container, start it first").WithHint("Run 'berth start -ai %s'", name)
	case c.State.Paused:
		return errdefs.Conflict("cannot attach to a paused container, unpause it first").WithHint("Run 'berth unpause %s'", name)
	case c.State.Restarting:
		return errdefs.Conflict("cannot attach to a restarting container").WithHint("See why it restarts: berth logs %s", name)
	}
	return nil
}
