// Command berth-compose is Docker Compose itself: "berth compose" runs it with the engine's address in DOCKER_HOST or
// DOCKER_CONTEXT. It is a module of its own, so that what Compose is built from never decides the versions that the
// engine is built from, and it uses nothing of berth. Under the name docker-compose, in one of docker's directories for
// plug-ins, it serves "docker compose" as well.
package main

import (
	"os"
	"path/filepath"

	dockercli "github.com/docker/cli/cli"
	"github.com/docker/cli/cli-plugins/metadata"
	"github.com/docker/cli/cli-plugins/plugin"
	"github.com/docker/cli/cli/command"
	"github.com/docker/compose/v5/cmd/cmdtrace"
	"github.com/docker/compose/v5/cmd/compatibility"
	composecmd "github.com/docker/compose/v5/cmd/compose"
	"github.com/docker/compose/v5/cmd/prompt"
	"github.com/docker/compose/v5/pkg/compose"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
)

// version is that of Compose, set by the Makefile from go.mod, as the one inside Compose is.
var version = "dev"

func main() {
	alone := plugin.RunningStandalone()
	if alone {
		os.Args = append([]string{os.Args[0]}, compatibility.Convert(os.Args[1:])...)
	}
	plugin.Run(func(cli command.Cli) *cobra.Command { return newCompose(cli, alone) }, metadata.Metadata{
		SchemaVersion: "0.1.0", Vendor: "Docker Inc.", Version: version,
	}, command.WithUserAgent("compose/"+version))
}

// newCompose is Compose's tree of verbs, made ready for both ways of being run.
func newCompose(cli command.Cli, alone bool) *cobra.Command {
	backend := &composecmd.BackendOptions{Options: []compose.Option{
		compose.WithPrompt(prompt.NewPrompt(cli.In(), cli.Out()).Confirm),
	}}
	root := composecmd.RootCommand(cli, backend)
	root.AddCommand(composecmd.HooksCommand())
	prepare := root.PersistentPreRunE
	root.PersistentPreRunE = func(c *cobra.Command, args []string) error {
		if err := plugin.PersistentPreRunE(c, args); err != nil {
			return err
		}
		if err := cmdtrace.Setup(c, cli, os.Args[1:]); err != nil {
			logrus.Debugf("tracing is off: %v", err)
		}
		preferOwnPlugins(cli)
		return prepare(c, args)
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return dockercli.StatusError{StatusCode: 1, Status: err.Error()}
	})
	if alone {
		nameBerth(root)
	}
	return root
}

// preferOwnPlugins makes Compose build with the buildx that berth comes with: it lies in cli-plugins beside this program,
// under the name that docker's framework looks for.
func preferOwnPlugins(cli command.Cli) {
	self, err := os.Executable()
	if err != nil {
		return
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	config := cli.ConfigFile()
	config.CLIPluginsExtraDirs = append([]string{filepath.Join(filepath.Dir(self), "cli-plugins")}, config.CLIPluginsExtraDirs...)
}

// nameBerth makes help say "berth compose" where docker's framework for plug-ins has put "docker compose".
func nameBerth(root *cobra.Command) {
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		c.Root().Use = "berth"
		c.Root().HelpFunc()(c, args)
	})
}
