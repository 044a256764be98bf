package container

import (
	"context"
	"errors"

	"github.com/docker/cli/opts"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/stream"
)

type execOptions struct {
	detachKeys, user, workdir            string
	interactive, tty, detach, privileged bool
	env, envFile                         opts.ListOpts
}

// NewExec is the verb exec.
func NewExec(s *session.Session) *cobra.Command {
	o := execOptions{env: opts.NewListOpts(opts.ValidateEnv), envFile: opts.NewListOpts(nil)}
	cmd := &cobra.Command{
		Use:               "exec [OPTIONS] CONTAINER COMMAND [ARG...]",
		Short:             "Execute a command in a running container",
		Args:              session.MinArgs(2),
		ValidArgsFunction: completion.First(completion.Running(s)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runExec(cmd.Context(), s, &o, args[0], args[1:])
		},
	}
	fs := cmd.Flags()
	fs.SetInterspersed(false)
	fs.StringVar(&o.detachKeys, "detach-keys", "", "Override the key sequence for detaching a container")
	fs.BoolVarP(&o.interactive, "interactive", "i", false, "Keep STDIN open even if not attached")
	fs.BoolVarP(&o.tty, "tty", "t", false, "Allocate a pseudo-TTY")
	fs.BoolVarP(&o.detach, "detach", "d", false, "Detached mode: run command in the background")
	fs.StringVarP(&o.user, "user", "u", "", `Username or UID (format: "<name|uid>[:<group|gid>]")`)
	fs.BoolVar(&o.privileged, "privileged", false, "Give extended privileges to the command")
	fs.VarP(&o.env, "env", "e", "Set environment variables")
	fs.Var(&o.envFile, "env-file", "Read in a file of environment variables")
	fs.StringVarP(&o.workdir, "workdir", "w", "", "Working directory inside the container")
	if err := cmd.RegisterFlagCompletionFunc("env", completion.EnvNames()); err != nil {
		panic(err) // a flag that this program itself declares
	}
	return cmd
}

func (o *execOptions) request(s *session.Session, command []string) (client.ExecCreateOptions, error) {
	env, err := opts.ReadKVEnvStrings(o.envFile.GetSlice(), o.env.GetSlice())
	if err != nil {
		return client.ExecCreateOptions{}, err
	}
	r := client.ExecCreateOptions{
		User: o.user, Privileged: o.privileged, TTY: o.tty, Env: env, WorkingDir: o.workdir, Cmd: command,
		AttachStdin: o.interactive && !o.detach, AttachStdout: !o.detach, AttachStderr: !o.detach,
		DetachKeys: keysOf(s, o.detachKeys),
	}
	if o.tty {
		r.ConsoleSize.Height, r.ConsoleSize.Width = s.Out.GetTtySize()
	}
	return r, nil
}

func runExec(ctx context.Context, s *session.Session, o *execOptions, name string, command []string) error {
	if err := stream.CheckDetachKeys(o.detachKeys); err != nil {
		return err
	}
	req, err := o.request(s, command)
	if err != nil {
		return err
	}
	if err := s.In.CheckTty(req.AttachStdin, req.TTY); err != nil {
		return err
	}
	api, err := s.API()
	if err != nil {
		return err
	}
	created, err := api.ExecCreate(ctx, name, req)
	if err != nil {
		return err
	}
	if created.ID == "" {
		return errors.New("exec ID empty")
	}
	if o.detach {
		_, err := api.ExecStart(ctx, created.ID, client.ExecStartOptions{Detach: true, TTY: req.TTY, ConsoleSize: req.ConsoleSize})
		return execFailed(err)
	}
	return execAttached(ctx, s, api, created.ID, req)
}

func execAttached(ctx context.Context, s *session.Session, api client.APIClient, id string, req client.ExecCreateOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := api.ExecAttach(ctx, id, client.ExecAttachOptions{TTY: req.TTY, ConsoleSize: req.ConsoleSize})
	if err != nil {
		return execFailed(err)
	}
	att, err := join(ctx, s, conn.HijackedResponse, streamsWanted{
		stdin: req.AttachStdin, stdout: req.AttachStdout, stderr: req.AttachStderr, tty: req.TTY, detachKeys: req.DetachKeys,
	})
	if err != nil {
		return err
	}
	defer att.close()
	if req.TTY && s.In.IsTerminal() {
		watchSize(ctx, s, func(ctx context.Context, size client.ContainerResizeOptions) error {
			_, err := api.ExecResize(ctx, id, client.ExecResizeOptions(size))
			return err
		})
	}
	if detached, err := ended(<-att.done); detached || err != nil {
		return err
	}
	ins, err := api.ExecInspect(ctx, id, client.ExecInspectOptions{})
	if err != nil {
		return err
	}
	return session.Exit(ins.ExitCode)
}

// execFailed gives a program that cannot be found or executed the codes that run gives it.
func execFailed(err error) error {
	if err == nil {
		return nil
	}
	var e *session.ExitError
	if errors.As(startFailed(err), &e) && (e.Code == session.CodeNotFound || e.Code == session.CodeNotExecutable) {
		return &session.ExitError{Code: e.Code, Err: err}
	}
	return err
}
