package companion

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/spf13/cobra"
)

// newCompose is Docker Compose.
func newCompose(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "compose COMMAND", Short: "Define and run applications of several containers (Docker Compose)"}
	return handOver(s, c, "berth-compose")
}
