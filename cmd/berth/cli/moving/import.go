package moving

import (
	"context"
	"errors"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/endpoint"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

// options are the verb's flags.
type options struct {
	from   string
	dryRun bool
	stop   bool
}

// Import is "berth system import".
func Import(s *session.Session) *cobra.Command {
	var o options
	c := &cobra.Command{Use: "import [OPTIONS]", Short: "Take images, volumes, networks and containers over from an existing docker", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		m, err := open(c.Context(), s, o)
		if err != nil {
			return err
		}
		defer m.old.Close()
		return m.run(c.Context())
	}
	f := c.Flags()
	f.StringVar(&o.from, "from", "unix://"+paths.DockerSocket, "The docker to take over from (unix:///path, tcp://host:port)")
	f.BoolVar(&o.dryRun, "dry-run", false, "Only say what would come along")
	f.BoolVar(&o.stop, "stop", false, "Stop the containers that run there, and start them here")
	return c
}

// move is one taking over.
type move struct {
	options
	old, mine *client.Client
	report    report
	helpers   map[*client.Client]string // containers and images that are gone at the end
}

func open(ctx context.Context, s *session.Session, o options) (*move, error) {
	mine, err := s.Client()
	if err != nil {
		return nil, err
	}
	ep, err := endpoint.Resolve(endpoint.Query{Host: o.from, ConfigDir: s.ConfigDir(), Getenv: s.Getenv, TLS: s.TLS})
	if err != nil {
		return nil, err
	}
	d := &endpoint.Dialer{Endpoint: ep, NoStart: true}
	old, err := client.New(client.WithHost("tcp://docker"), client.WithDialContext(d.DialAny))
	if err != nil {
		return nil, err
	}
	m := &move{options: o, old: old, mine: mine, report: report{out: s.Out, dry: o.dryRun}}
	there, err := old.Info(ctx, client.InfoOptions{})
	if err != nil {
		return nil, errors.Join(err, old.Close())
	}
	here, err := mine.Info(ctx, client.InfoOptions{})
	if err != nil {
		return nil, errors.Join(err, old.Close())
	}
	if here.Info.ID == there.Info.ID && here.Info.DockerRootDir == there.Info.DockerRootDir { // the ID may be the machine's
		return nil, errors.Join(errdefs.Invalid("%s is this very engine", o.from).WithHint("Name the docker to take over from with --from."), old.Close())
	}
	return m, nil
}

// run takes everything over: what containers need comes before them.
func (m *move) run(ctx context.Context) error {
	containers, err := m.listContainers(ctx)
	if err != nil {
		return err
	}
	if err := m.images(ctx, containers); err != nil {
		return err
	}
	if m.stop && !m.dryRun { // what they write last comes along
		for _, c := range containers {
			m.stopOld(ctx, c)
		}
	}
	if err := m.volumes(ctx, containers); err != nil {
		return err
	}
	if err := m.networks(ctx); err != nil {
		return err
	}
	for _, c := range containers {
		m.container(ctx, c, containers)
	}
	m.report.sum()
	if m.report.failures > 0 {
		return errdefs.System("%d could not be taken over", m.report.failures)
	}
	return nil
}
