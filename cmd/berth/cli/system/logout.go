package system

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/image"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/spf13/cobra"
)

func newLogout(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "logout [SERVER]", Short: "Log out from a registry", Args: cobra.MaximumNArgs(1)}
	c.RunE = func(_ *cobra.Command, args []string) error {
		server := image.IndexServer
		if len(args) == 1 {
			server = args[0]
		}
		fmt.Fprintln(s.Out, "Removing login credentials for", server)
		if err := s.Credentials().GetCredentialsStore(server).Erase(server); err != nil {
			return fmt.Errorf("removing the credentials of %s: %w", server, err)
		}
		return nil
	}
	return c
}
