package container

import (
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/session"
)

// completeRunFlags completes the values of run's and create's flags.
func completeRunFlags(cmd *cobra.Command, s *session.Session) {
	containers := completion.Containers(s)
	for flag, f := range map[string]completion.Func{
		"network":      completion.Networks(s),
		"volumes-from": containers,
		"link":         containers,
		"pid":          containers,
		"ipc":          containers,
		"env":          completion.EnvNames(),
		"pull":         completion.Values(pullAlways, pullMissing, pullNever),
		"restart":      completion.Values("always", "no", "on-failure", "unless-stopped"),
		"cgroupns":     completion.Values("host", "private"),
		"attach":       completion.Values("stdin", "stdout", "stderr"),
		"log-driver":   completion.Values("json-file", "local", "none"),
		"platform":     completion.Values("linux/amd64", "linux/arm64"),
		"stop-signal":  completion.Values("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL"),
	} {
		if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
			panic(err) // a flag that this program itself declares
		}
	}
}
