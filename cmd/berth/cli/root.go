// Package cli is the command line: the tree of verbs, and the one place where an error becomes a message and an exit
// code. A verb is a file of a package of its noun.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/companion"
	"github.com/berthhq/berth/cmd/berth/cli/container"
	"github.com/berthhq/berth/cmd/berth/cli/contexts"
	"github.com/berthhq/berth/cmd/berth/cli/image"
	"github.com/berthhq/berth/cmd/berth/cli/machine"
	"github.com/berthhq/berth/cmd/berth/cli/moving"
	"github.com/berthhq/berth/cmd/berth/cli/network"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/cmd/berth/cli/system"
	"github.com/berthhq/berth/cmd/berth/cli/volume"
	"github.com/berthhq/berth/cmd/berth/cli/window"
	"github.com/berthhq/berth/internal/buildinfo"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Streams are the program's own.
type Streams = session.Streams

// Run is the whole program: it returns the exit code.
func Run(ctx context.Context, args []string, streams Streams, getenv func(string) string) int {
	s := session.New(streams, getenv)
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	return report(s, root.ExecuteContext(ctx))
}

func newRoot(s *session.Session) *cobra.Command {
	root := &cobra.Command{
		Use: "berth", Short: "Run Linux containers", Version: buildinfo.Version(),
		SilenceErrors: true, SilenceUsage: true, TraverseChildren: true,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			e := errdefs.Invalid("unknown command: berth %s", args[0])
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				return e.WithHint("Did you mean 'berth %s'?", likeliest(args[0], near))
			}
			return e.WithHint("Run 'berth --help' for all commands.")
		},
		SuggestionsMinimumDistance: 2,
		Run:                        func(c *cobra.Command, _ []string) { welcome(c.OutOrStdout()) },
	}
	root.SetVersionTemplate("berth version {{.Version}}\n")
	f := root.Flags()
	f.SetInterspersed(false)
	f.StringVarP(&s.Host, "host", "H", "", "The engine's socket (unix:///path, tcp://host:port)")
	f.StringVar(&s.ConfigPath, "config", "", "Location of client config files (default $DOCKER_CONFIG, or ~/.docker)")
	f.StringVarP(&s.Context, "context", "c", "", "The docker context that names the engine")
	tlsFlags(f, s)
	root.PersistentFlags().Bool("help", false, "Print usage")
	_ = root.PersistentFlags().MarkHidden("help")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &session.ExitError{Code: 125, Err: errdefs.Invalid("%w", err).WithHint("Run '%s --help' for its flags.", c.CommandPath())}
	})
	root.AddCommand(container.Verbs(s)...)
	root.AddCommand(image.Verbs(s)...)
	root.AddCommand(system.Verbs(s)...)
	root.AddCommand(companion.Verbs(s)...)
	root.AddCommand(window.Verbs(s)...)
	images := image.Group(s)
	images.AddCommand(companion.Build(s))
	engine := system.Group(s)
	engine.AddCommand(moving.Import(s))
	root.AddCommand(container.Group(s), images, network.Group(s), volume.Group(s), contexts.Group(s), engine, machine.Group(s))
	nameArgs(root)
	return root
}

// tlsFlags are docker's.
func tlsFlags(f *pflag.FlagSet, s *session.Session) {
	f.BoolVar(&s.TLS.Use, "tls", false, "Use TLS; implied by --tlsverify")
	f.StringVar(&s.TLS.CA, "tlscacert", "", "Trust certs signed only by this CA (default ~/.docker/ca.pem)")
	f.StringVar(&s.TLS.Cert, "tlscert", "", "Path to TLS certificate file (default ~/.docker/cert.pem)")
	f.StringVar(&s.TLS.Key, "tlskey", "", "Path to TLS key file (default ~/.docker/key.pem)")
	f.BoolFunc("tlsverify", "Use TLS and verify the remote", func(v string) error {
		verify, err := strconv.ParseBool(v)
		s.TLS.Verify = &verify
		return err
	})
}

// likeliest prefers a verb with the very letters that were typed: two of them swapped is the commonest slip.
func likeliest(typed string, near []string) string {
	letters := func(s string) string { return string(slices.Sorted(slices.Values([]byte(s)))) }
	for _, n := range near {
		if letters(n) == letters(typed) {
			return n
		}
	}
	return near[0]
}

// nameArgs makes errors about the number of arguments name the verb.
func nameArgs(c *cobra.Command) {
	for _, sub := range c.Commands() {
		nameArgs(sub)
		if check := sub.Args; check != nil {
			sub.Args = func(c *cobra.Command, args []string) error {
				if err := check(c, args); err != nil {
					return errdefs.Invalid("%q %w", c.CommandPath(), err).WithHint("See '%s --help'.", c.CommandPath())
				}
				return nil
			}
		}
	}
}

func welcome(w io.Writer) {
	fmt.Fprint(w, `berth runs Linux containers.

Begin with:
  berth run -it --rm ubuntu            a shell in a new container
  berth run -d -p 8080:80 nginx        a web server on http://localhost:8080
  berth ps                             what runs

All commands: berth --help. Of one: berth run --help.
`)
}

// report prints an error: one line that says what failed and one that says what helps.
func report(s *session.Session, err error) int {
	if err == nil {
		return 0
	}
	code := 1
	var exit *session.ExitError
	if errors.As(err, &exit) {
		code = exit.Code
		if exit.Err == nil {
			return code
		}
	}
	// Errors of the engine carry docker's words, which scripts look for. Only where a container could not be run does the
	// program's name stand before them.
	for _, line := range strings.Split(strings.TrimSpace(err.Error()), "\n") {
		if exit != nil || !strings.HasPrefix(line, "Error") {
			line = "berth: " + line
		}
		fmt.Fprintln(s.Err, line)
	}
	hint := errdefs.HintOf(err)
	if hint == "" {
		hint = s.Hint()
	}
	if hint != "" {
		fmt.Fprintln(s.Err, hint)
	}
	return code
}
