package system

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/docker/cli/opts"
	"github.com/docker/go-units"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

type pruneOptions struct {
	force, all, volumes bool
	filter              opts.FilterOpt
}

func newPrune(s *session.Session) *cobra.Command {
	o := pruneOptions{filter: opts.NewFilterOpt()}
	c := &cobra.Command{Use: "prune [OPTIONS]", Short: "Remove unused data", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if _, until := o.filter.Value()["until"]; until && o.volumes {
			return errdefs.Invalid(`The "until" filter is not supported with "--volumes"`)
		}
		if !o.force && !s.Confirm(o.warning()) {
			return nil
		}
		cl, err := s.Client()
		if err != nil {
			return err
		}
		var total uint64
		for _, step := range o.steps() {
			removed, freed, err := step.do(c.Context(), cl)
			if err != nil {
				return err
			}
			show(s, step.title, removed)
			total += freed
		}
		fmt.Fprintln(s.Out, "Total reclaimed space:", units.HumanSize(float64(total)))
		return nil
	}
	f := c.Flags()
	f.BoolVarP(&o.force, "force", "f", false, "Do not prompt for confirmation")
	f.BoolVarP(&o.all, "all", "a", false, "Remove all unused images not just dangling ones")
	f.BoolVar(&o.volumes, "volumes", false, "Prune anonymous volumes")
	f.Var(&o.filter, "filter", `Provide filter values (e.g. "label=<key>=<value>")`)
	return c
}

// warning says what will be removed.
func (o *pruneOptions) warning() string {
	what := []string{"all stopped containers", "all networks not used by at least one container"}
	if o.volumes {
		what = append(what, "all anonymous volumes not used by at least one container")
	}
	if o.all {
		what = append(what, "all images without at least one container associated to them", "all build cache")
	} else {
		what = append(what, "all dangling images", "unused build cache")
	}
	text := "WARNING! This will remove:\n  - " + strings.Join(what, "\n  - ") + "\n"
	if filters := o.filter.Value(); len(filters) > 0 {
		text += "\n  Items to be pruned will be filtered with:\n"
		var lines []string
		for key, values := range filters {
			for v := range values {
				lines = append(lines, "  - "+key+"="+v+"\n")
			}
		}
		slices.Sort(lines)
		text += strings.Join(lines, "")
	}
	return text + "\nAre you sure you want to continue?"
}

// step removes one kind of thing.
type step struct {
	title string
	do    func(context.Context, *client.Client) (removed []string, freed uint64, err error)
}

func (o *pruneOptions) steps() []step {
	all := []step{{"Deleted Containers:", o.containers}, {"Deleted Networks:", o.networks}}
	if o.volumes {
		all = append(all, step{"Deleted Volumes:", o.anonymousVolumes})
	}
	return append(all, step{"Deleted Images:", o.images}, step{"Deleted build cache objects:", o.buildCache})
}

func (o *pruneOptions) containers(ctx context.Context, cl *client.Client) ([]string, uint64, error) {
	r, err := cl.ContainerPrune(ctx, client.ContainerPruneOptions{Filters: o.filter.Value()})
	return r.Report.ContainersDeleted, r.Report.SpaceReclaimed, err
}

func (o *pruneOptions) networks(ctx context.Context, cl *client.Client) ([]string, uint64, error) {
	r, err := cl.NetworkPrune(ctx, client.NetworkPruneOptions{Filters: o.filter.Value()})
	return r.Report.NetworksDeleted, 0, err
}

func (o *pruneOptions) anonymousVolumes(ctx context.Context, cl *client.Client) ([]string, uint64, error) {
	r, err := cl.VolumePrune(ctx, client.VolumePruneOptions{Filters: o.filter.Value()})
	return r.Report.VolumesDeleted, r.Report.SpaceReclaimed, err
}

func (o *pruneOptions) images(ctx context.Context, cl *client.Client) (names []string, freed uint64, err error) {
	filters := o.filter.Value().Clone()
	filters.Add("dangling", fmt.Sprint(!o.all))
	r, err := cl.ImagePrune(ctx, client.ImagePruneOptions{Filters: filters})
	for _, i := range r.Report.ImagesDeleted {
		if i.Untagged != "" {
			names = append(names, "untagged: "+i.Untagged)
		} else {
			names = append(names, "deleted: "+i.Deleted)
		}
	}
	return names, r.Report.SpaceReclaimed, err
}

// buildCache takes of the filters only those that the cache knows, as docker does.
func (o *pruneOptions) buildCache(ctx context.Context, cl *client.Client) ([]string, uint64, error) {
	filters := client.Filters{}
	for until := range o.filter.Value()["until"] {
		filters.Add("until", until)
	}
	if len(o.filter.Value()) > len(filters) {
		return nil, 0, nil // records have no labels: none is meant
	}
	r, err := cl.BuildCachePrune(ctx, client.BuildCachePruneOptions{All: o.all, Filters: filters})
	return r.Report.CachesDeleted, r.Report.SpaceReclaimed, err
}

func show(s *session.Session, title string, list []string) {
	if len(list) > 0 {
		fmt.Fprintf(s.Out, "%s\n%s\n\n", title, strings.Join(list, "\n"))
	}
}
