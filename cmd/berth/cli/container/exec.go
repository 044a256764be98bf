package container

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/stream"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/client"
	"github.com/moby/term"
	"github.com/spf13/cobra"
)

type execOptions struct {
	client.ExecCreateOptions
	detach       bool
	interactive  bool
	env, envFile opts.ListOpts
}

func newExec(s *session.Session) *cobra.Command {
	o := execOptions{env: opts.NewListOpts(opts.ValidateEnv), envFile: opts.NewListOpts(nil)}
	c := &cobra.Command{Use: "exec [OPTIONS] CONTAINER COMMAND [ARG...]", Short: "Execute a command in a running container", Args: cobra.MinimumNArgs(2),
		ValidArgsFunction: complete(s, false),
		RunE: func(c *cobra.Command, args []string) error {
			o.Cmd = args[1:]
			return runExec(c.Context(), s, &o, args[0])
		}}
	f := c.Flags()
	f.SetInterspersed(false)
	f.BoolVarP(&o.detach, "detach", "d", false, "Detached mode: run command in the background")
	f.StringVar(&o.DetachKeys, "detach-keys", "", "Override the key sequence for detaching a container")
	f.VarP(&o.env, "env", "e", "Set environment variables")
	f.Var(&o.envFile, "env-file", "Read in a file of environment variables")
	f.BoolVarP(&o.interactive, "interactive", "i", false, "Keep STDIN open even if not attached")
	f.BoolVar(&o.Privileged, "privileged", false, "Give extended privileges to the command")
	f.BoolVarP(&o.TTY, "tty", "t", false, "Allocate a pseudo-TTY")
	f.StringVarP(&o.User, "user", "u", "", "Username or UID (format: \"<name|uid>[:<group|gid>]\")")
	f.StringVarP(&o.WorkingDir, "workdir", "w", "", "Working directory inside the container")
	return c
}

func runExec(ctx context.Context, s *session.Session, o *execOptions, name string) (err error) {
	if o.Env, err = opts.ReadKVEnvStrings(o.envFile.GetSlice(), o.env.GetSlice()); err != nil {
		return errdefs.Invalid("%w", err)
	}
	if _, ok := s.InTerminal(); o.TTY && o.interactive && !ok && !o.detach {
		return errNoTTY()
	}
	cl, err := s.Client()
	if err != nil {
		return err
	}
	if !o.detach {
		o.AttachStdin, o.AttachStdout, o.AttachStderr = o.interactive, true, true
	}
	size := client.ConsoleSize{}
	if fd, ok := s.OutTerminal(); ok && o.TTY {
		if ws, err := term.GetWinsize(fd); err == nil {
			size = client.ConsoleSize{Height: uint(ws.Height), Width: uint(ws.Width)}
			o.ConsoleSize = size
		}
	}
	made, err := cl.ExecCreate(ctx, name, o.ExecCreateOptions)
	if err != nil {
		return err
	}
	if o.detach {
		_, err := cl.ExecStart(ctx, made.ID, client.ExecStartOptions{Detach: true, TTY: o.TTY})
		return err
	}
	resp, err := cl.ExecAttach(ctx, made.ID, client.ExecAttachOptions{TTY: o.TTY, ConsoleSize: size})
	if err != nil {
		return err
	}
	defer resp.Close()
	a := &attachment{s: s, cl: cl, tty: o.TTY, stdin: o.interactive, stdout: true, stderr: true, keys: o.DetachKeys}
	restore := a.raw()
	defer restore()
	if o.TTY {
		defer followSize(s, func(h, w uint) {
			cl.ExecResize(ctx, made.ID, client.ExecResizeOptions{Height: h, Width: w})
		})()
	}
	err = a.copy(ctx, &resp.HijackedResponse)
	restore()
	if errors.Is(err, stream.ErrDetached) {
		return nil
	}
	if err != nil && !broken(err) {
		return err
	}
	return execExit(ctx, cl, made.ID)
}

// execExit asks for the exit code; an engine that went away meanwhile may come back.
func execExit(ctx context.Context, cl *client.Client, id string) error {
	for {
		st, err := overRestart(ctx, awayBound, "the command", func(ctx context.Context) (client.ExecInspectResult, error) {
			return cl.ExecInspect(ctx, id, client.ExecInspectOptions{})
		})
		switch {
		case err != nil:
			return fmt.Errorf("asking for the exit code: %w", err)
		case st.Running: // its streams ended with the engine, or before it
			select {
			case <-time.After(100 * time.Millisecond):
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		case st.ExitCode != 0:
			return &session.ExitError{Code: st.ExitCode}
		}
		return nil
	}
}
