package cli

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
)

// suggestBound is how long the engine is asked for names that a mistyped one may have meant.
const suggestBound = time.Second

// unknownCommand says which verbs a mistyped one may have meant.
func unknownCommand(root *cobra.Command, args []string, err error) error {
	name := quoted(err.Error())
	e := errdefs.Invalid("'%s' is not a berth command", name)
	near := root.SuggestionsFor(name)
	if len(near) == 0 {
		return e.WithHint("Run 'berth --help' for all commands.")
	}
	return e.WithHint("Did you mean: %s", strings.Join(near, ", "))
}

// quoted is the first quoted part of a message, or "".
func quoted(m string) string {
	parts := strings.SplitN(m, `"`, 3)
	if len(parts) < 3 {
		return ""
	}
	return parts[1]
}

func isImageError(m string) bool {
	l := strings.ToLower(m)
	return strings.Contains(l, "no such image") || strings.Contains(l, "pull access denied") ||
		strings.Contains(l, "manifest unknown") || strings.Contains(l, "manifest for ")
}

// imageHint names local images with names like the one that was not found.
func imageHint(ctx context.Context, s *session.Session, m string) string {
	const other = "Run 'berth images' to see the local images."
	name := imageOf(m)
	api, err := s.API()
	if err != nil || name == "" {
		return other
	}
	ctx, cancel := context.WithTimeout(ctx, suggestBound)
	defer cancel()
	list, err := api.ImageList(ctx, client.ImageListOptions{})
	if err != nil {
		return other
	}
	var local []string
	for _, i := range list.Items {
		local = append(local, i.RepoTags...)
	}
	near := nearest(name, local)
	if len(near) == 0 {
		return other
	}
	return fmt.Sprintf("Did you mean a local image: %s", strings.Join(near, ", "))
}

// imageOf finds the image's name in the engine's words.
func imageOf(m string) string {
	for _, pattern := range []string{`(?i)no such image: (\S+)`, `pull access denied for ([^\s,]+)`, `manifest for (\S+)`} {
		if f := regexp.MustCompile(pattern).FindStringSubmatch(m); f != nil {
			return strings.TrimSuffix(f[1], ",")
		}
	}
	return ""
}

// nearest are up to three of the names that differ little from name, the closest first. Tags count only where the
// repositories are alike.
func nearest(name string, names []string) []string {
	const most = 3
	type scored struct {
		name string
		d    int
	}
	repo, tag := splitTag(name)
	var found []scored
	for _, n := range names {
		r, t := splitTag(n)
		d := distance(repo, r)
		if d > max(1, len(repo)/3) {
			continue
		}
		found = append(found, scored{n, 10*d + min(9, distance(tag, t))})
	}
	slices.SortFunc(found, func(a, b scored) int {
		if a.d != b.d {
			return a.d - b.d
		}
		return strings.Compare(a.name, b.name)
	})
	var out []string
	for _, f := range found[:min(most, len(found))] {
		out = append(out, f.name)
	}
	return out
}

func splitTag(name string) (repo, tag string) {
	i := strings.LastIndex(name, ":")
	if i < 0 || strings.Contains(name[i:], "/") {
		return name, "latest"
	}
	return name[:i], name[i+1:]
}

// distance is the number of letters to add, take away, change or swap with their neighbour (Damerau-Levenshtein,
// optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
