package image

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/docker/cli/cli/command/formatter"
	"github.com/docker/cli/opts"
	"github.com/docker/go-units"
	"github.com/moby/moby/client"
	"github.com/moby/moby/client/pkg/jsonmessage"
	"github.com/spf13/cobra"
)

func newList(s *session.Session, name string) *cobra.Command {
	var all, quiet, noTrunc, digests bool
	var format string
	filter := opts.NewFilterOpt()
	c := &cobra.Command{Use: name + " [OPTIONS] [REPOSITORY[:TAG]]", Short: "List images", Args: cobra.MaximumNArgs(1), ValidArgsFunction: Complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		f := filter.Value()
		if len(args) == 1 {
			f.Add("reference", args[0])
		}
		list, err := cl.ImageList(c.Context(), client.ImageListOptions{All: all, Filters: f})
		if err != nil {
			return err
		}
		if format == "" && !quiet {
			format = s.Config().ImagesFormat
		}
		if format == "" {
			format = formatter.TableFormatKey
		}
		return formatter.ImageWrite(formatter.ImageContext{
			Context: formatter.Context{Output: s.Out, Format: formatter.NewImageFormat(format, quiet, digests), Trunc: !noTrunc}, Digest: digests,
		}, list.Items)
	}
	f := c.Flags()
	f.BoolVarP(&all, "all", "a", false, "Show all images (default hides intermediate images)")
	f.BoolVarP(&quiet, "quiet", "q", false, "Only show image IDs")
	f.BoolVar(&noTrunc, "no-trunc", false, "Don't truncate output")
	f.BoolVar(&digests, "digests", false, "Show digests")
	f.StringVar(&format, "format", "", "Format output using a custom template: table, table TEMPLATE, json, TEMPLATE")
	f.VarP(&filter, "filter", "f", "Filter output based on conditions provided")
	return c
}

func newRemove(s *session.Session, name string) *cobra.Command {
	var force, noPrune bool
	c := &cobra.Command{Use: name + " [OPTIONS] IMAGE [IMAGE...]", Short: "Remove one or more images", Args: cobra.MinimumNArgs(1), ValidArgsFunction: Complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Each(args, func(n string) (string, error) {
			r, err := cl.ImageRemove(c.Context(), n, client.ImageRemoveOptions{Force: force, PruneChildren: !noPrune})
			for _, i := range r.Items {
				if i.Untagged != "" {
					fmt.Fprintln(s.Out, "Untagged:", i.Untagged)
				} else {
					fmt.Fprintln(s.Out, "Deleted:", i.Deleted)
				}
			}
			return "", err
		})
	}
	f := c.Flags()
	f.BoolVarP(&force, "force", "f", false, "Force removal of the image")
	f.BoolVar(&noPrune, "no-prune", false, "Do not delete untagged parents")
	return c
}

func newTag(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]", Short: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE", Args: cobra.ExactArgs(2), ValidArgsFunction: Complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		_, err = cl.ImageTag(c.Context(), client.ImageTagOptions{Source: args[0], Target: args[1]})
		return err
	}
	return c
}

func newInspect(s *session.Session) *cobra.Command {
	var format string
	c := &cobra.Command{Use: "inspect [OPTIONS] IMAGE [IMAGE...]", Short: "Display detailed information on one or more images", Args: cobra.MinimumNArgs(1), ValidArgsFunction: Complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		return s.Inspect(args, format, func(n string) (session.Object, error) { return Inspect(c.Context(), cl, n) })
	}
	c.Flags().StringVarP(&format, "format", "f", "", "Format output using a custom template, or json")
	return c
}

// Inspect asks for an image.
func Inspect(ctx context.Context, cl *client.Client, name string) (session.Object, error) {
	var raw bytes.Buffer
	r, err := cl.ImageInspect(ctx, name, client.ImageInspectWithRawResponse(&raw))
	return session.Object{Raw: raw.Bytes(), Typed: r.InspectResponse}, err
}

func newPrune(s *session.Session) *cobra.Command {
	var force, all bool
	c := &cobra.Command{Use: "prune [OPTIONS]", Short: "Remove unused images", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		what := "all dangling images"
		if all {
			what = "all images without at least one container associated to them"
		}
		if !force && !s.Confirm("WARNING! This will remove "+what+".\nAre you sure you want to continue?") {
			return nil
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		f := client.Filters{}
		f.Add("dangling", fmt.Sprint(!all))
		r, err := cl.ImagePrune(c.Context(), client.ImagePruneOptions{Filters: f})
		if err != nil {
			return err
		}
		for _, i := range r.Report.ImagesDeleted {
			if i.Untagged != "" {
				fmt.Fprintln(s.Out, "untagged:", i.Untagged)
			} else {
				fmt.Fprintln(s.Out, "deleted:", i.Deleted)
			}
		}
		fmt.Fprintln(s.Out, "Total reclaimed space:", units.HumanSize(float64(r.Report.SpaceReclaimed)))
		return nil
	}
	f := c.Flags()
	f.BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	f.BoolVarP(&all, "all", "a", false, "Remove all unused images, not just dangling ones")
	return c
}

func newLoad(s *session.Session) *cobra.Command {
	var input string
	var quiet bool
	c := &cobra.Command{Use: "load [OPTIONS]", Short: "Load an image from a tar archive or STDIN", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		in := s.In
		if input != "" {
			f, err := os.Open(input)
			if err != nil {
				return err
			}
			defer f.Close()
			in = f
		} else if _, ok := s.InTerminal(); ok {
			return errdefs.Invalid("requested load from stdin, but stdin is empty")
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.ImageLoad(c.Context(), in, client.ImageLoadWithQuiet(quiet))
		if err != nil {
			return err
		}
		defer r.Close()
		return jsonmessage.DisplayStream(r, s.Out)
	}
	f := c.Flags()
	f.StringVarP(&input, "input", "i", "", "Read from tar archive file, instead of STDIN")
	f.BoolVarP(&quiet, "quiet", "q", false, "Suppress the load output")
	return c
}

func newSave(s *session.Session) *cobra.Command {
	var output string
	c := &cobra.Command{Use: "save [OPTIONS] IMAGE [IMAGE...]", Short: "Save one or more images to a tar archive (streamed to STDOUT by default)", Args: cobra.MinimumNArgs(1), ValidArgsFunction: Complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		to := s.Out
		if output == "" {
			if _, ok := s.OutTerminal(); ok {
				return errdefs.Invalid("cowardly refusing to save to a terminal. Use the -o flag or redirect")
			}
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.ImageSave(c.Context(), args)
		if err != nil {
			return err
		}
		defer r.Close()
		if output != "" {
			f, err := os.Create(output)
			if err != nil {
				return err
			}
			defer f.Close()
			to = f
		}
		_, err = io.Copy(to, r)
		return err
	}
	c.Flags().StringVarP(&output, "output", "o", "", "Write to a file, instead of STDOUT")
	return c
}

func newHistory(s *session.Session) *cobra.Command {
	var noTrunc, quiet bool
	c := &cobra.Command{Use: "history [OPTIONS] IMAGE", Short: "Show the history of an image", Args: cobra.ExactArgs(1), ValidArgsFunction: Complete(s)}
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.ImageHistory(c.Context(), args[0])
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(s.Out, 10, 1, 3, ' ', 0)
		if !quiet {
			fmt.Fprintln(w, "IMAGE\tCREATED\tCREATED BY\tSIZE\tCOMMENT")
		}
		for _, h := range r.Items {
			if quiet {
				fmt.Fprintln(w, h.ID)
				continue
			}
			by := h.CreatedBy
			if !noTrunc && len(by) > 45 {
				by = by[:44] + "…"
			}
			fmt.Fprintf(w, "%.19s\t%s ago\t%s\t%s\t%s\n", h.ID, units.HumanDuration(time.Since(time.Unix(h.Created, 0))), by, units.HumanSizeWithPrecision(float64(h.Size), 3), h.Comment)
		}
		return w.Flush()
	}
	f := c.Flags()
	f.BoolVar(&noTrunc, "no-trunc", false, "Don't truncate output")
	f.BoolVarP(&quiet, "quiet", "q", false, "Only show image IDs")
	return c
}
