package system

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"

	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/completion"
	"github.com/berthhq/berth/cmd/berth/cli/format"
	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/buildinfo"
)

// versionInfo is what templates of --format see, with docker's field names.
type versionInfo struct {
	Client clientVersion
	Server *serverVersion
}

type clientVersion struct {
	Platform                     struct{ Name string } `json:",omitzero"`
	Version, APIVersion          string
	DefaultAPIVersion            string
	GitCommit, GoVersion         string
	Os, Arch, BuildTime, Context string
}

type serverVersion struct {
	Platform                 client.PlatformInfo
	Version, APIVersion      string
	MinAPIVersion            string
	Os, Arch                 string
	GitCommit, GoVersion     string
	KernelVersion, BuildTime string
	Experimental             bool
	Components               []system.ComponentVersion
}

// NewVersion is the verb version.
func NewVersion(s *session.Session) *cobra.Command {
	var layout string
	cmd := &cobra.Command{
		Use:               "version [OPTIONS]",
		Short:             "Show the berth version information",
		Args:              session.NoArgs(),
		ValidArgsFunction: completion.None(),
		RunE:              func(cmd *cobra.Command, _ []string) error { return runVersion(cmd.Context(), s, layout) },
	}
	cmd.Flags().StringVarP(&layout, "format", "f", "", format.InspectHelp)
	return cmd
}

func runVersion(ctx context.Context, s *session.Session, layout string) error {
	v := versionInfo{Client: clientVersion{
		Version: buildinfo.Version(), APIVersion: client.MaxAPIVersion, DefaultAPIVersion: client.MaxAPIVersion,
		GitCommit: buildinfo.Commit(), GoVersion: runtime.Version(), Os: runtime.GOOS, Arch: runtime.GOARCH, BuildTime: buildinfo.Date(),
	}}
	api, err := s.API()
	if err == nil {
		var r client.ServerVersionResult
		if r, err = api.ServerVersion(ctx, client.ServerVersionOptions{}); err == nil {
			v.Client.APIVersion = api.ClientVersion()
			v.Server = serverOf(r)
		}
	}
	if e, err := s.Endpoint(); err == nil {
		v.Client.Context = e.Context
	}
	var printed error
	if layout != "" {
		printed = format.Template(s.Out, layout, v)
	} else {
		printed = printVersion(s.Out, v)
	}
	if err != nil { // the client's half is told all the same
		return err
	}
	return printed
}

func serverOf(r client.ServerVersionResult) *serverVersion {
	sv := &serverVersion{
		Platform: r.Platform, Version: r.Version, APIVersion: r.APIVersion, MinAPIVersion: r.MinAPIVersion,
		Os: r.Os, Arch: r.Arch, Experimental: r.Experimental, Components: r.Components,
	}
	for _, c := range r.Components {
		if c.Name != "Engine" {
			continue
		}
		sv.GitCommit, sv.GoVersion = c.Details["GitCommit"], c.Details["GoVersion"]
		sv.KernelVersion, sv.BuildTime = c.Details["KernelVersion"], c.Details["BuildTime"]
	}
	return sv
}

func printVersion(out io.Writer, v versionInfo) error {
	w := tabwriter.NewWriter(out, 0, 8, 1, ' ', 0)
	line := func(k, val string) { _, _ = fmt.Fprintf(w, " %s:\t%s\n", k, val) }
	_, _ = fmt.Fprintln(w, "Client: berth")
	line("Version", v.Client.Version)
	line("API version", v.Client.APIVersion)
	line("Go version", v.Client.GoVersion)
	line("Git commit", v.Client.GitCommit)
	line("Built", v.Client.BuildTime)
	line("OS/Arch", v.Client.Os+"/"+v.Client.Arch)
	line("Context", v.Client.Context)
	if s := v.Server; s != nil {
		_, _ = fmt.Fprintf(w, "\nServer: %s\n", s.Platform.Name)
		line("Version", s.Version)
		line("API version", fmt.Sprintf("%s (minimum version %s)", s.APIVersion, s.MinAPIVersion))
		line("Go version", s.GoVersion)
		line("Git commit", s.GitCommit)
		line("Built", s.BuildTime)
		line("OS/Arch", s.Os+"/"+s.Arch)
		line("Kernel", s.KernelVersion)
	}
	return w.Flush()
}
