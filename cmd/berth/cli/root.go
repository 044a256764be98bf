package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/container"
	"github.com/berthhq/berth/cmd/berth/cli/image"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/cmd/berth/cli/system"
	"github.com/berthhq/berth/internal/buildinfo"
)

// constructor makes one verb.
type constructor func(*session.Session) *cobra.Command

// verb is one name of the top level.
type verb struct {
	names []string // the name and its aliases
	group string
	build constructor
}

// The groups of the help.
const (
	groupCommon     = "common"
	groupManagement = "management"
	groupMore       = "more"
)

func verbs() []verb {
	return []verb{
		{[]string{"run"}, groupCommon, container.NewRun},
		{[]string{"exec"}, groupCommon, container.NewExec},
		{[]string{"ps"}, groupCommon, container.NewPs},
		{[]string{"pull"}, groupCommon, image.NewPull},
		{[]string{"push"}, groupCommon, image.NewPush},
		{[]string{"images"}, groupCommon, image.NewImages},
		{[]string{"logs"}, groupCommon, container.NewLogs},
		{[]string{"version"}, groupCommon, system.NewVersion},

		{[]string{"attach"}, groupMore, container.NewAttach},
		{[]string{"create"}, groupMore, container.NewCreate},
		{[]string{"kill"}, groupMore, container.NewKill},
		{[]string{"pause"}, groupMore, container.NewPause},
		{[]string{"rename"}, groupMore, container.NewRename},
		{[]string{"restart"}, groupMore, container.NewRestart},
		{[]string{"rm"}, groupMore, container.NewRm},
		{[]string{"rmi"}, groupMore, image.NewRmi},
		{[]string{"start"}, groupMore, container.NewStart},
		{[]string{"stop"}, groupMore, container.NewStop},
		{[]string{"tag"}, groupMore, image.NewTag},
		{[]string{"unpause"}, groupMore, container.NewUnpause},
		{[]string{"wait"}, groupMore, container.NewWait},
	}
}

// newRoot makes the tree. Only the verb that the line names is built; all of them where it names none (help,
// completion of a verb's name, a mistyped one).
func newRoot(s *session.Session, args []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "berth [OPTIONS] COMMAND",
		Short:         "A container engine: images, containers, networks and volumes",
		Version:       buildinfo.Version() + ", build " + buildinfo.Commit(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(*cobra.Command, []string) error { return welcome(s) },
		Args:          cobra.NoArgs,
	}
	root.SetVersionTemplate("berth version {{.Version}}\n")
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &session.ExitError{Code: flagCode(cmd), Err: err, Help: cmd.CommandPath()}
	})
	fs := root.PersistentFlags()
	root.Flags().SetInterspersed(false)
	fs.StringVarP(&s.Host, "host", "H", "", "Engine to talk to (unix:///path, tcp://host:port)")
	root.Flags().StringVarP(&s.Context, "context", "c", "", "Docker context that names the engine")
	root.Flags().BoolP("version", "v", false, "Print version information and quit")
	root.AddGroup(&cobra.Group{ID: groupCommon, Title: "Common Commands:"},
		&cobra.Group{ID: groupManagement, Title: "Management Commands:"}, &cobra.Group{ID: groupMore, Title: "Commands:"})
	all := verbs()
	named := slices.DeleteFunc(slices.Clone(all), func(v verb) bool {
		return !slices.ContainsFunc(v.names, func(n string) bool { return slices.Contains(args, n) })
	})
	if len(named) == 0 {
		named = all
	}
	for _, v := range named {
		cmd := v.build(s)
		cmd.GroupID = v.group
		root.AddCommand(cmd)
	}
	root.ValidArgsFunction = completion.None()
	return root
}

// flagCode is docker's exit code of a wrong flag.
func flagCode(*cobra.Command) int { return session.CodeEngine }
