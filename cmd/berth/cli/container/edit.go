package container

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/editapi"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/runflags"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

type editOptions struct {
	change    editapi.Change
	publish   []string
	memory    opts.MemBytes
	cpus      opts.NanoCPUs
	restart   string
	plan, yes bool
}

func newEdit(s *session.Session) *cobra.Command {
	var o editOptions
	c := &cobra.Command{Use: "edit [OPTIONS] CONTAINER", Short: "Change a container, keeping its files, volumes and addresses",
		Long: "Change a container. Name, limits and restart policy change while it runs. For the rest the container is stopped and\n" +
			"started again with the same files, volumes and addresses; where it does not start with the change, it goes back to what\n" +
			"it was. What will be done is told before it is done.",
		Args: cobra.ExactArgs(1), ValidArgsFunction: complete(s, true)}
	f := c.Flags()
	ch := &o.change
	f.StringArrayVar(&o.publish, "publish-add", nil, "Publish a port ([address:]host-port:port[/protocol])")
	f.StringArrayVar(&ch.PublishRemove, "publish-rm", nil, "Publish a port no more ([address:]host-port[/protocol])")
	f.StringArrayVarP(&ch.EnvSet, "env", "e", nil, "Set an environment variable (NAME=value)")
	f.Var(f.Lookup("env").Value, "env-add", "Set an environment variable (NAME=value)") // one list: either flag adds to it
	f.StringArrayVar(&ch.EnvRemove, "env-rm", nil, "Take an environment variable away")
	f.StringArrayVar(&ch.VolumeAdd, "volume-add", nil, "Mount a volume or a folder ([source:]place[:options])")
	f.StringArrayVar(&ch.VolumeRemove, "volume-rm", nil, "Take away what is mounted at a place; a volume itself stays")
	f.StringArrayVar(&ch.LinkAdd, "link-add", nil, "Link to another container (container[:alias])")
	f.StringArrayVar(&ch.LinkRemove, "link-rm", nil, "Take a link away, by its alias")
	f.StringVar(&ch.Name, "name", "", "Give the container another name")
	f.VarP(&o.memory, "memory", "m", "Memory limit; 0 is none")
	f.Var(&o.cpus, "cpus", "Number of CPUs; 0 is no limit")
	f.StringVar(&o.restart, "restart", "", "Restart policy to apply when the container exits")
	f.IntVar(&ch.Wait, "wait", 0, "Seconds to watch whether it runs well with the change (default 3, or 60 with a health check)")
	f.BoolVar(&o.plan, "plan", false, "Only say what would be done")
	f.BoolVar(&o.plan, "dry-run", false, "Only say what would be done")
	f.BoolVarP(&o.yes, "yes", "y", false, "Do not ask before the container is stopped")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := o.read(f); err != nil {
			return err
		}
		return edit(c.Context(), s, args[0], &o)
	}
	return c
}

// read completes the change from the flags that docker's parsers read.
func (o *editOptions) read(f *pflag.FlagSet) (err error) {
	if f.NFlag() == 0 {
		return errdefs.Invalid("nothing to change was named").WithHint("Run 'berth container edit --help' for what can be changed.")
	}
	if o.change.PublishAdd, err = runflags.Publish(o.publish); err != nil {
		return errdefs.Invalid("%w", err)
	}
	if f.Changed("memory") {
		n := o.memory.Value()
		o.change.Memory = &n
	}
	if f.Changed("cpus") {
		n := o.cpus.Value()
		o.change.NanoCPUs = &n
	}
	if o.restart != "" {
		p, err := opts.ParseRestartPolicy(o.restart)
		if err != nil {
			return errdefs.Invalid("%w", err)
		}
		o.change.RestartPolicy = &p
	}
	return nil
}

func edit(ctx context.Context, s *session.Session, name string, o *editOptions) error {
	cl, err := s.Client()
	if err != nil {
		return err
	}
	plan, err := postEdit(ctx, cl, name, &o.change, true)
	if err != nil {
		return err
	}
	tellPlan(s.Err, plan)
	if o.plan || len(plan.Steps) == 0 {
		return nil
	}
	if plan.Stops && !o.yes {
		if _, ok := s.InTerminal(); !ok {
			return errdefs.Invalid("container %s would be stopped and started", plan.Name).WithHint("Add --yes to do it.")
		}
		fmt.Fprint(s.Err, "Do it? [y/N] ")
		if answer, _ := bufio.NewReader(s.In).ReadString('\n'); !strings.HasPrefix(strings.ToLower(answer), "y") {
			return nil
		}
	}
	if _, err := postEdit(ctx, cl, name, &o.change, false); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.Out, name)
	return err
}

// postEdit speaks to berth's own part of the API.
func postEdit(ctx context.Context, cl *client.Client, name string, change *editapi.Change, planOnly bool) (*editapi.Plan, error) {
	body, err := json.Marshal(change)
	if err != nil {
		return nil, err
	}
	target := "http://" + client.DummyHost + "/berth/containers/" + url.PathEscape(name) + "/edit"
	if planOnly {
		target += "?plan=1"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	dial := cl.Dialer()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var e struct{ Message string }
		if json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&e) != nil || e.Message == "" || e.Message == "page not found" {
			return nil, errdefs.NotImplemented("this engine cannot edit containers").WithHint("It is another than berth's, or an older one.")
		}
		return nil, errdefs.System("Error response from daemon: %s", e.Message)
	}
	var plan editapi.Plan
	return &plan, json.NewDecoder(resp.Body).Decode(&plan)
}

// tellPlan says what an edit does.
func tellPlan(w io.Writer, p *editapi.Plan) {
	if len(p.Steps) == 0 {
		fmt.Fprintf(w, "Container %s is so already.\n", p.Name)
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range p.Steps {
		how := "while it runs"
		if s.Successor {
			how = "by a successor"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", s.Field, difference(s), how)
	}
	t.Flush()
	if p.Stops {
		fmt.Fprintf(w, "Container %s is stopped (within %d s) and started again; it goes back to what it is if it does not start.\n", p.Name, p.StopTimeout)
	}
	if c := p.Compose; c != nil {
		fmt.Fprintf(w, "It is service %s of the Compose project %s: the next 'up' undoes this unless %s says it too.\n", c.Service, c.Project, strings.Join(c.Files, ", "))
	}
}

func difference(s editapi.Step) string {
	switch {
	case s.From == "":
		return "+ " + s.To
	case s.To == "":
		return "- " + s.From
	}
	return s.From + " -> " + s.To
}
