package container

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/api/types/container"
	"github.com/spf13/cobra"
)

func newWait(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "wait CONTAINER [CONTAINER...]", Short: "Block until one or more containers stop, then print their exit codes", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Each(args, func(n string) (string, error) {
			w := newWatch(c.Context(), cl, n, notStarted, container.WaitConditionNotRunning)
			end := <-w.done
			return fmt.Sprint(end.code), end.err
		})
	}
	return c
}
