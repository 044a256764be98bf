package cli

import (
	"io"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/spf13/cobra"
)

// Tree is the tree of verbs, for who writes manual pages and completions from it. It reads no environment and prints nothing.
func Tree() *cobra.Command {
	streams := Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}
	return newRoot(session.New(streams, func(string) string { return "" }))
}
