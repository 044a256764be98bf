package container

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/runflags"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/stream"
)

type runOptions struct {
	createOptions
	detach, sigProxy bool
	detachKeys       string
}

// NewRun is the verb run.
func NewRun(s *session.Session) *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:               "run [OPTIONS] IMAGE [COMMAND] [ARG...]",
		Short:             "Create and run a new container from an image",
		Args:              session.MinArgs(1),
		ValidArgsFunction: completion.First(completion.Images(s)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRun(cmd.Context(), s, &o, cmd.Flags(), args)
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.detach, "detach", "d", false, "Run container in background and print container ID")
	fs.BoolVar(&o.sigProxy, "sig-proxy", true, "Proxy received signals to the process")
	fs.StringVar(&o.detachKeys, "detach-keys", "", "Override the key sequence for detaching a container")
	o.add(cmd, s)
	fs.Lookup("pull").Usage = `Pull image before running ("always", "missing", "never")`
	completeRunFlags(cmd, s)
	return cmd
}

func runRun(ctx context.Context, s *session.Session, o *runOptions, fs *pflag.FlagSet, args []string) error {
	api, err := s.API()
	if err != nil {
		return err
	}
	spec, err := o.spec(s, api, fs, args)
	if err != nil {
		return refused(err)
	}
	c := spec.Config
	if o.detach {
		if o.flags.AttachCount() > 0 {
			return refused(errors.New("conflicting options: cannot specify both --attach and --detach"))
		}
		c.AttachStdin, c.AttachStdout, c.AttachStderr, c.StdinOnce = false, false, false, false
	} else if err := s.In.CheckTty(c.AttachStdin, c.Tty); err != nil {
		return err
	}
	if err := stream.CheckDetachKeys(o.detachKeys); err != nil {
		return refused(err)
	}
	id, err := o.create(ctx, s, api, spec)
	if err != nil {
		return refused(err)
	}
	if !c.AttachStdin && !c.AttachStdout && !c.AttachStderr {
		return runDetached(ctx, s, api, id)
	}
	return runAttached(ctx, s, api, id, spec, o)
}

func runDetached(ctx context.Context, s *session.Session, api client.APIClient, id string) error {
	if _, err := fmt.Fprintln(s.Out, id); err != nil {
		return err
	}
	if _, err := api.ContainerStart(ctx, id, client.ContainerStartOptions{}); err != nil {
		return startFailed(err)
	}
	return nil
}

// runAttached attaches before the start, so that no output is missed, and asks for the exit at the same time.
func runAttached(ctx context.Context, s *session.Session, api client.APIClient, id string, spec *runflags.Spec, o *runOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	exit, asked := waitExit(ctx, api, id, o.flags.AutoRemove())
	w := streamsWanted{
		stdin: spec.Config.AttachStdin, stdout: spec.Config.AttachStdout, stderr: spec.Config.AttachStderr,
		tty: spec.Config.Tty, detachKeys: keysOf(s, o.detachKeys),
	}
	att, err := attachTo(ctx, s, api, id, w)
	if err != nil {
		return err
	}
	defer att.close()
	sig := &forwarder{}
	if o.sigProxy {
		sig = forwardSignals(ctx, s, api, id)
		defer sig.stop()
	}
	<-asked
	if _, err := api.ContainerStart(ctx, id, client.ContainerStartOptions{}); err != nil {
		att.close()
		if o.flags.AutoRemove() {
			<-exit // the name is free again when the command returns
		}
		return startFailed(err)
	}
	if o.sigProxy {
		sig.started()
	}
	if w.tty {
		watchSize(ctx, s, func(ctx context.Context, size client.ContainerResizeOptions) error {
			_, err := api.ContainerResize(ctx, id, size)
			return err
		})
	}
	return finish(att, exit, sig.leave, w.stdout || w.stderr)
}

// attachTo attaches to a container and begins to copy.
func attachTo(ctx context.Context, s *session.Session, api client.APIClient, id string, w streamsWanted) (*attachment, error) {
	resp, err := api.ContainerAttach(ctx, id, client.ContainerAttachOptions{
		Stream: true, Stdin: w.stdin, Stdout: w.stdout, Stderr: w.stderr, DetachKeys: w.detachKeys,
	})
	if err != nil {
		return nil, err
	}
	return join(ctx, s, resp.HijackedResponse, w)
}

// finish waits for the end: of the output and then of the container, or for the person to leave.
func finish(att *attachment, exit <-chan outcome, leave <-chan struct{}, output bool) error {
	var end outcome
	select {
	case err := <-att.done:
		if detached, err := ended(err); detached || err != nil {
			return err
		}
		select {
		case end = <-exit:
		case <-leave:
			return session.Exit(130)
		}
	case end = <-exit:
		if !output {
			att.cancel()
		}
		<-att.done // the output that is still on its way
	case <-leave:
		return session.Exit(130)
	}
	att.restore()
	if end.err != nil {
		return &session.ExitError{Code: session.CodeEngine, Err: fmt.Errorf("waiting for the container: %w", end.err)}
	}
	return session.Exit(end.code)
}

// keysOf are the detach keys: the flag's, or those of docker's configuration file.
func keysOf(s *session.Session, flag string) string {
	if flag != "" {
		return flag
	}
	return s.Config().DetachKeys
}

// refused is an error before the container's own program mattered.
func refused(err error) error {
	return &session.ExitError{Code: session.CodeEngine, Err: err, Help: "berth run"}
}

// startFailed gives the exit codes that shells give: 126 and 127 for a program that cannot be executed or found.
func startFailed(err error) error {
	e := &session.ExitError{Code: session.CodeEngine, Err: err, Help: "berth run"}
	msg := err.Error()
	switch {
	case client.IsErrConnectionFailed(err):
	case containsAny(msg, "executable file not found", "no such file or directory", "system cannot find the file specified"):
		e.Code = session.CodeNotFound
	case containsAny(msg, syscall.EACCES.Error(), syscall.EISDIR.Error()):
		e.Code = session.CodeNotExecutable
	}
	return e
}

func containsAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
