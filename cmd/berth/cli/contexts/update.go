package contexts

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/spf13/cobra"
)

func newUpdate(s *session.Session) *cobra.Command {
	var description, docker string
	c := &cobra.Command{Use: "update [OPTIONS] CONTEXT", Short: "Update a context", Args: cobra.ExactArgs(1), ValidArgsFunction: complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		changed, err := store(s).Get(args[0])
		if err != nil {
			return err
		}
		if c.Flags().Changed("description") {
			changed.Description = description
		}
		if docker != "" {
			tls, err := parseDocker(&changed, docker)
			if err != nil {
				return err
			}
			if err := store(s).SaveTLS(changed.Name, tls); err != nil {
				return err
			}
		}
		if err := store(s).Update(changed); err != nil {
			return err
		}
		fmt.Fprintln(s.Out, changed.Name)
		fmt.Fprintf(s.Err, "Successfully updated context %q\n", changed.Name)
		return nil
	}
	f := c.Flags()
	f.StringVar(&description, "description", "", "Description of the context")
	f.StringVar(&docker, "docker", "", "Set the engine's address: host=,ca=,cert=,key=,skip-tls-verify=")
	return c
}
