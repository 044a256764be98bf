package companion

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/spf13/cobra"
)

// Build is docker build: buildx's, which speaks to the BuildKit inside the engine. It stands under image too.
func Build(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "build [OPTIONS] PATH | URL | -", Short: "Build an image from a Dockerfile"}
	return handOver(s, c, buildxProgram, "build")
}
