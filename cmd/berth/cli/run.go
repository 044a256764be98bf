package cli

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/session"
)

// Run is one run of the program: args without its name, and the streams and environment it has. It returns the exit
// code. Nothing below it ends the process.
func Run(ctx context.Context, args []string, in io.ReadCloser, out, errOut io.Writer, getenv func(string) string) int {
	return run(ctx, session.New(in, out, errOut, getenv), args)
}

func run(ctx context.Context, s *session.Session, args []string) int {
	err := execute(ctx, s, args)
	if err != nil && tooNew(err) && s.Renegotiate() { // the first request was refused, so nothing has happened yet
		err = execute(ctx, s, args)
	}
	report(ctx, s, err)
	return session.Code(err)
}

func execute(ctx context.Context, s *session.Session, args []string) error {
	completing := len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd)
	s.NoStart = completing
	root := newRoot(s, args)
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	err := root.ExecuteContext(ctx)
	var exit *session.ExitError
	if err != nil && !errors.As(err, &exit) && strings.HasPrefix(err.Error(), "unknown command ") {
		return unknownCommand(root, args, err)
	}
	return err
}

// tooNew says whether an older engine refused this client's API version.
func tooNew(err error) bool {
	return strings.Contains(err.Error(), "is too new. Maximum supported API version is")
}
