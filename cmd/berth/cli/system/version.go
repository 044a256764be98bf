package system

import (
	"errors"
	"fmt"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/buildinfo"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newVersion(s *session.Session) *cobra.Command {
	var format string
	c := &cobra.Command{Use: "version [OPTIONS]", Short: "Show the version information", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		out := map[string]any{"Client": map[string]any{"Version": buildinfo.Version(), "GitCommit": buildinfo.Commit(), "BuildTime": buildinfo.Date(), "Platform": buildinfo.Platform()}}
		cl, err := s.Client()
		var v client.ServerVersionResult
		if err == nil {
			v, err = cl.ServerVersion(c.Context(), client.ServerVersionOptions{})
		}
		if err == nil {
			out["Server"] = v
		}
		if format != "" {
			return errors.Join(printAs(s, format, out), err)
		}
		fmt.Fprintf(s.Out, "Client: berth\n Version:    %s\n Git commit: %s\n Built:      %s\n OS/Arch:    %s\n", buildinfo.Version(), buildinfo.Commit(), buildinfo.Date(), buildinfo.Platform())
		if err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "\nServer: %s\n Version:     %s\n API version: %s (minimum version %s)\n OS/Arch:     %s/%s\n", v.Platform.Name, v.Version, v.APIVersion, v.MinAPIVersion, v.Os, v.Arch)
		return nil
	}
	c.Flags().StringVarP(&format, "format", "f", "", "Format output using a custom template, or json")
	return c
}
