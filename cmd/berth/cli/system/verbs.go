// Package system is the verbs on the engine itself, and on registries' credentials.
package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/berthhq/berth/cmd/berth/cli/image"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/buildinfo"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/docker/cli/cli/command/formatter"
	configtypes "github.com/docker/cli/cli/config/types"
	"github.com/docker/cli/opts"
	"github.com/docker/cli/templates"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
	"github.com/moby/term"
	"github.com/spf13/cobra"
)

// Verbs are the commands that need no noun before them.
func Verbs(s *session.Session) []*cobra.Command {
	return []*cobra.Command{newInfo(s), newVersion(s), newEvents(s), newLogin(s), newLogout(s)}
}

// Group is "berth system".
func Group(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "system", Short: "Manage the engine", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newInfo(s), newDF(s), newEvents(s), newPrune(s), newInstall(s), newUninstall(s))
	return c
}

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

// printAs prints a value as JSON or through a template.
func printAs(s *session.Session, format string, v any) error {
	if format == "json" {
		return json.NewEncoder(s.Out).Encode(v)
	}
	t, err := templates.Parse(format)
	if err == nil {
		err = t.Execute(s.Out, v)
	}
	if err != nil {
		return errdefs.Invalid("template parsing error: %w", err)
	}
	fmt.Fprintln(s.Out)
	return nil
}

func newInfo(s *session.Session) *cobra.Command {
	var format string
	c := &cobra.Command{Use: "info [OPTIONS]", Short: "Display system-wide information", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.Info(c.Context(), client.InfoOptions{})
		if err != nil {
			return err
		}
		i := r.Info
		if format != "" {
			return printAs(s, format, i)
		}
		printInfo(s.Out, &i)
		for _, w := range i.Warnings {
			fmt.Fprintln(s.Err, w)
		}
		return nil
	}
	c.Flags().StringVarP(&format, "format", "f", "", "Format output using a custom template, or json")
	return c
}

func newEvents(s *session.Session) *cobra.Command {
	var since, until, format string
	filter := opts.NewFilterOpt()
	c := &cobra.Command{Use: "events [OPTIONS]", Short: "Get real time events from the server", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r := cl.Events(c.Context(), client.EventsListOptions{Since: since, Until: until, Filters: filter.Value()})
		for {
			select {
			case m := <-r.Messages:
				if err := printEvent(s, format, &m); err != nil {
					return err
				}
			case err := <-r.Err:
				if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
					return nil
				}
				return err
			}
		}
	}
	f := c.Flags()
	f.StringVar(&since, "since", "", "Show all events created since timestamp")
	f.StringVar(&until, "until", "", "Stream events until this timestamp")
	f.StringVar(&format, "format", "", "Format output using a custom template, or json")
	f.VarP(&filter, "filter", "f", "Filter output based on conditions provided")
	return c
}

func printEvent(s *session.Session, format string, m *events.Message) error {
	if format != "" {
		return printAs(s, format, m)
	}
	var attrs []string
	for k, v := range m.Actor.Attributes {
		attrs = append(attrs, k+"="+v)
	}
	slices.Sort(attrs)
	at := time.Unix(0, m.TimeNano).Format("2006-01-02T15:04:05.000000000Z07:00")
	line := fmt.Sprintf("%s %s %s %s", at, m.Type, m.Action, m.Actor.ID)
	if len(attrs) > 0 {
		line += " (" + strings.Join(attrs, ", ") + ")"
	}
	_, err := fmt.Fprintln(s.Out, line)
	return err
}

func newDF(s *session.Session) *cobra.Command {
	var format string
	c := &cobra.Command{Use: "df [OPTIONS]", Short: "Show disk usage", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.DiskUsage(c.Context(), client.DiskUsageOptions{Containers: true, Images: true, BuildCache: true, Volumes: true})
		if err != nil {
			return err
		}
		if format == "" {
			format = formatter.TableFormatKey
		}
		w := formatter.DiskUsageContext{
			Context:        formatter.Context{Output: s.Out, Format: formatter.NewDiskUsageFormat(format, false)},
			ImageDiskUsage: r.Images, ContainerDiskUsage: r.Containers, VolumeDiskUsage: r.Volumes, BuildCacheDiskUsage: r.BuildCache,
		}
		return w.Write()
	}
	c.Flags().StringVar(&format, "format", "", "Format output using a custom template: table, json, TEMPLATE")
	return c
}

func newPrune(s *session.Session) *cobra.Command {
	var force, all, volumes bool
	c := &cobra.Command{Use: "prune [OPTIONS]", Short: "Remove unused data", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		what := "  - all stopped containers\n  - all networks not used by at least one container\n"
		if volumes {
			what += "  - all anonymous volumes not used by at least one container\n"
		}
		if all {
			what += "  - all images without at least one container associated to them\n"
		} else {
			what += "  - all dangling images\n"
		}
		if !force && !s.Confirm("WARNING! This will remove:\n"+what+"\nAre you sure you want to continue?") {
			return nil
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		var total uint64
		containers, err := cl.ContainerPrune(c.Context(), client.ContainerPruneOptions{})
		if err != nil {
			return err
		}
		show(s, "Deleted Containers:", containers.Report.ContainersDeleted)
		total += containers.Report.SpaceReclaimed
		networks, err := cl.NetworkPrune(c.Context(), client.NetworkPruneOptions{})
		if err != nil {
			return err
		}
		show(s, "Deleted Networks:", networks.Report.NetworksDeleted)
		if volumes {
			v, err := cl.VolumePrune(c.Context(), client.VolumePruneOptions{})
			if err != nil {
				return err
			}
			show(s, "Deleted Volumes:", v.Report.VolumesDeleted)
			total += v.Report.SpaceReclaimed
		}
		f := client.Filters{}
		f.Add("dangling", fmt.Sprint(!all))
		images, err := cl.ImagePrune(c.Context(), client.ImagePruneOptions{Filters: f})
		if err != nil {
			return err
		}
		var names []string
		for _, i := range images.Report.ImagesDeleted {
			names = append(names, i.Untagged+i.Deleted)
		}
		show(s, "Deleted Images:", names)
		total += images.Report.SpaceReclaimed
		fmt.Fprintln(s.Out, "Total reclaimed space:", units.HumanSize(float64(total)))
		return nil
	}
	f := c.Flags()
	f.BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	f.BoolVarP(&all, "all", "a", false, "Remove all unused images not just dangling ones")
	f.BoolVar(&volumes, "volumes", false, "Prune anonymous volumes")
	return c
}

func show(s *session.Session, title string, list []string) {
	if len(list) > 0 {
		fmt.Fprintf(s.Out, "%s\n%s\n\n", title, strings.Join(list, "\n"))
	}
}

func newLogin(s *session.Session) *cobra.Command {
	var user, password string
	var stdin bool
	c := &cobra.Command{Use: "login [OPTIONS] [SERVER]", Short: "Authenticate to a registry", Args: cobra.MaximumNArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		server := image.IndexServer
		if len(args) == 1 && args[0] != "docker.io" {
			server = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(args[0], "https://"), "http://"), "/")
		}
		if stdin {
			if user == "" {
				return errdefs.Invalid("the --password-stdin option requires --username")
			}
			b, err := io.ReadAll(s.In)
			if err != nil {
				return err
			}
			password = strings.TrimRight(string(b), "\r\n")
		} else if password != "" {
			fmt.Fprintln(s.Err, "WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
		}
		if err := ask(s, &user, &password); err != nil {
			return err
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		r, err := cl.RegistryLogin(c.Context(), client.RegistryLoginOptions{Username: user, Password: password, ServerAddress: server})
		if err != nil {
			return err
		}
		entry := configtypes.AuthConfig{Username: user, Password: password, ServerAddress: server}
		if r.Auth.IdentityToken != "" {
			entry.Password, entry.IdentityToken = "", r.Auth.IdentityToken
		}
		if err := s.Credentials().GetCredentialsStore(server).Store(entry); err != nil {
			return fmt.Errorf("saving the credentials of %s: %w", server, err)
		}
		fmt.Fprintln(s.Out, "Login Succeeded")
		return nil
	}
	f := c.Flags()
	f.StringVarP(&user, "username", "u", "", "Username")
	f.StringVarP(&password, "password", "p", "", "Password or Personal Access Token (PAT)")
	f.BoolVar(&stdin, "password-stdin", false, "Take the Password or Personal Access Token (PAT) from stdin")
	return c
}

// ask asks a person for what is missing.
func ask(s *session.Session, user, password *string) error {
	fd, ok := s.InTerminal()
	if (*user == "" || *password == "") && !ok {
		return errdefs.Invalid("cannot perform an interactive login from a non TTY device").WithHint("Use --username and --password-stdin.")
	}
	if *user == "" {
		fmt.Fprint(s.Out, "Username: ")
		fmt.Fscanln(s.In, user)
	}
	if *password == "" {
		fmt.Fprint(s.Out, "Password: ")
		state, err := term.SaveState(fd)
		if err != nil {
			return err
		}
		term.DisableEcho(fd, state)
		fmt.Fscanln(s.In, password)
		term.RestoreTerminal(fd, state)
		fmt.Fprintln(s.Out)
	}
	if *user == "" || *password == "" {
		return errdefs.Invalid("username and password are required")
	}
	return nil
}

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
