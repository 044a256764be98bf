package container

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/image"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/runflags"
	"github.com/berthhq/berth/internal/stream"
	"github.com/moby/moby/client"
	"github.com/moby/term"
	"github.com/spf13/cobra"
)

func newRun(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "run [OPTIONS] IMAGE [COMMAND] [ARG...]", Short: "Create and run a new container from an image", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: image.Complete(s)}
	f := c.Flags()
	f.SetInterspersed(false)
	flags := runflags.NewRun(f)
	c.RunE = func(c *cobra.Command, args []string) error {
		spec, err := flags.Build(f, args[0], args[1:])
		if err != nil {
			return runFailed(err)
		}
		return run(c.Context(), s, flags, spec)
	}
	return c
}

func run(ctx context.Context, s *session.Session, o *runflags.Run, spec *runflags.Spec) error {
	if err := stream.CheckDetachKeys(o.DetachKeys); err != nil {
		return runFailed(errdefs.Invalid("%w", err))
	}
	cfg := spec.Config
	if _, ok := s.InTerminal(); cfg.Tty && cfg.AttachStdin && !ok {
		return runFailed(errNoTTY())
	}
	if fd, ok := s.OutTerminal(); ok && cfg.Tty {
		if ws, err := term.GetWinsize(fd); err == nil {
			spec.Host.ConsoleSize = [2]uint{uint(ws.Height), uint(ws.Width)}
		}
	}
	id, err := create(ctx, s, o.Flags, spec, o.Quiet)
	if err != nil {
		return runFailed(err)
	}
	cl, err := s.Client()
	if err != nil {
		return runFailed(err)
	}
	start := func() error {
		_, err := cl.ContainerStart(ctx, id, client.ContainerStartOptions{})
		if err != nil {
			return startFailed(err)
		}
		return nil
	}
	if !cfg.AttachStdin && !cfg.AttachStdout && !cfg.AttachStderr {
		if err := start(); err != nil {
			return err
		}
		_, err := fmt.Fprintln(s.Out, id)
		return err
	}
	a := &attachment{s: s, cl: cl, id: id, tty: cfg.Tty, stdin: cfg.AttachStdin, stdout: cfg.AttachStdout, stderr: cfg.AttachStderr,
		keys: o.DetachKeys, sigProxy: o.SigProxy, was: neverStarted}
	err = a.run(ctx, start, spec.Host.AutoRemove)
	var exit *session.ExitError
	if err != nil && !errors.As(err, &exit) {
		return runFailed(err)
	}
	return err
}

// runFailed is a failure before anything ran.
func runFailed(err error) error {
	if errdefs.HintOf(err) == "" {
		return failed125(hinted{err, "Run 'berth run --help' for more information"})
	}
	return failed125(err)
}

// startFailed gives docker's exit code of a command that could not be executed.
func startFailed(err error) error {
	code := 125
	switch text := err.Error(); {
	case strings.Contains(text, "executable file not found"), strings.Contains(text, "no such file or directory"), strings.Contains(text, "system cannot find the file specified"):
		code = 127
	case strings.Contains(text, "permission denied"), strings.Contains(text, "is a directory"), strings.Contains(text, "exec format error"):
		code = 126
	}
	return &session.ExitError{Code: code, Err: hinted{err, "Run 'berth run --help' for more information"}}
}

// hinted gives any error advice.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }
func (h hinted) As(target any) bool {
	if t, ok := target.(**errdefs.Error); ok {
		*t = errdefs.System("%w", h.error).WithHint("%s", h.hint)
		return true
	}
	return false
}
