package image

import (
	"context"
	"slices"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

// withSuggestion adds to the failure of a pull the local image that was meant, if one has nearly the same name.
func withSuggestion(ctx context.Context, cl *client.Client, ref string, err error) error {
	list, lerr := cl.ImageList(ctx, client.ImageListOptions{})
	if lerr != nil {
		return err
	}
	var names []string
	for _, i := range list.Items {
		names = append(names, i.RepoTags...)
	}
	near := nearest(ref, names)
	if near == "" {
		return err
	}
	return errdefs.NotFound("%w", err).WithHint("Did you mean '%s', which is here?", near)
}

// nearest is the name that differs from what was typed by two letters at most, but does differ. A tag that was not typed
// does not count, and "latest" is not shown.
func nearest(typed string, names []string) string {
	slices.Sort(names)
	table := &cobra.Command{SuggestionsMinimumDistance: 2} // has the measure of verbs
	shown := map[string]string{}
	for _, n := range names {
		short := strings.TrimSuffix(n, ":latest")
		key := short
		if !strings.Contains(typed, ":") {
			key, _, _ = strings.Cut(short, ":")
		}
		if key == typed || shown[key] != "" {
			continue
		}
		shown[key] = short
		table.AddCommand(&cobra.Command{Use: key, Run: func(*cobra.Command, []string) {}})
	}
	for _, found := range table.SuggestionsFor(typed) {
		return shown[found]
	}
	return ""
}
