package container

import (
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/moby/moby/client"
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
			w := cl.ContainerWait(c.Context(), n, client.ContainerWaitOptions{})
			select {
			case r := <-w.Result:
				return fmt.Sprint(r.StatusCode), nil
			case err := <-w.Error:
				return "", err
			}
		})
	}
	return c
}
