package system

import (
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/docker/cli/cli/command/formatter"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newDF(s *session.Session) *cobra.Command {
	var format string
	var verbose bool
	c := &cobra.Command{Use: "df [OPTIONS]", Short: "Show disk usage", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.DiskUsage(c.Context(), client.DiskUsageOptions{Containers: true, Images: true, BuildCache: true, Volumes: true, Verbose: verbose})
		if err != nil {
			return err
		}
		if format == "" {
			format = formatter.TableFormatKey
		}
		w := formatter.DiskUsageContext{
			Context: formatter.Context{Output: s.Out, Format: formatter.NewDiskUsageFormat(format, verbose)}, Verbose: verbose,
			ImageDiskUsage: r.Images, ContainerDiskUsage: r.Containers, VolumeDiskUsage: r.Volumes, BuildCacheDiskUsage: r.BuildCache,
		}
		return w.Write()
	}
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "Show detailed information on space usage")
	c.Flags().StringVar(&format, "format", "", "Format output using a custom template: table, json, TEMPLATE")
	return c
}
