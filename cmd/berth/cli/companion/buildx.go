package companion

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/spf13/cobra"
)

const buildxProgram = "berth-buildx"

// newBuildx is all of buildx: bake, builders, the build cache. docker knows it as builder too.
func newBuildx(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "buildx COMMAND", Aliases: []string{"builder"}, Short: "Build with BuildKit: bake, builders, cache"}
	return handOver(s, c, buildxProgram)
}
