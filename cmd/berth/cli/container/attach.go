package container

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

// errNoTTY says that a terminal in a container wants one here.
func errNoTTY() error {
	return errdefs.Invalid("cannot attach stdin to a TTY-enabled container because stdin is not a terminal: the input device is not a TTY").
		WithHint("Leave -t out where input comes from a pipe or a file.")
}

func newAttach(s *session.Session) *cobra.Command {
	var noStdin, sigProxy bool
	var keys string
	c := &cobra.Command{Use: "attach [OPTIONS] CONTAINER", Short: "Attach local standard input, output, and error streams to a running container", Args: cobra.ExactArgs(1),
		ValidArgsFunction: complete(s, false)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		info, err := cl.ContainerInspect(c.Context(), args[0], client.ContainerInspectOptions{})
		if err != nil {
			return err
		}
		ct := info.Container
		switch {
		case !ct.State.Running:
			return errdefs.Conflict("You cannot attach to a stopped container, start it first")
		case ct.State.Paused:
			return errdefs.Conflict("You cannot attach to a paused container, unpause it first")
		case ct.State.Restarting:
			return errdefs.Conflict("You cannot attach to a restarting container, wait until it is running")
		}
		if _, terminal := s.InTerminal(); ct.Config.Tty && !noStdin && ct.Config.OpenStdin && !terminal {
			return errNoTTY()
		}
		a := &attachment{s: s, cl: cl, id: ct.ID, tty: ct.Config.Tty, stdin: !noStdin && ct.Config.OpenStdin, stdout: true, stderr: true, keys: keys, sigProxy: sigProxy, midway: true, was: notStarted}
		return a.run(c.Context(), func() error { return nil }, false)
	}
	f := c.Flags()
	f.BoolVar(&noStdin, "no-stdin", false, "Do not attach STDIN")
	f.BoolVar(&sigProxy, "sig-proxy", true, "Proxy all received signals to the process")
	f.StringVar(&keys, "detach-keys", "", "Override the key sequence for detaching a container")
	return c
}
