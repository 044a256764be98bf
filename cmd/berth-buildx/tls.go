package main

import (
	"slices"

	"github.com/docker/cli/cli/command"
	"github.com/docker/cli/cli/flags"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// splitTLS takes the --tls flags from the beginning of a command line: berth hands its own on there, and buildx, when it
// is not a plug-in, knows TLS from the environment only.
func splitTLS(args []string) (tls, rest []string) {
	n := 0
	for n < len(args) {
		switch {
		case slices.Contains([]string{"--tls", "--tlsverify"}, args[n]):
			n++
		case slices.Contains([]string{"--tlscacert", "--tlscert", "--tlskey"}, args[n]) && n+1 < len(args):
			n += 2
		default:
			return args[:n], args[n:]
		}
	}
	return args, nil
}

// useTLS makes root connect with the flags of docker's client that stand in args.
func useTLS(cli *command.DockerCli, root *cobra.Command, args []string) error {
	set := pflag.NewFlagSet(root.Name(), pflag.ContinueOnError)
	options := flags.NewClientOptions()
	options.InstallFlags(set)
	if err := set.Parse(args); err != nil {
		return err
	}
	options.SetDefaultOptions(set)
	prepare := root.PersistentPreRunE
	root.PersistentPreRunE = func(c *cobra.Command, args []string) error {
		if err := prepare(c, args); err != nil {
			return err
		}
		return cli.Initialize(options)
	}
	return nil
}
