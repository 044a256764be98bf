// Package image is the verbs on images. Each file is one verb, or a few that belong together.
package image

import (
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/distribution/reference"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

// Verbs are the commands that need no noun before them.
func Verbs(s *session.Session) []*cobra.Command {
	return []*cobra.Command{newList(s, "images"), newPull(s), newPush(s), newRemove(s, "rmi"), newTag(s), newLoad(s), newSave(s), newImport(s), newHistory(s), newSearch(s)}
}

// Group is "berth image".
func Group(s *session.Session) *cobra.Command {
	c := &cobra.Command{Use: "image", Short: "Manage images", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	ls := newList(s, "ls")
	ls.Aliases = []string{"list"}
	rm := newRemove(s, "rm")
	rm.Aliases = []string{"remove"}
	c.AddCommand(ls, rm, newPull(s), newPush(s), newTag(s), newLoad(s), newSave(s), newImport(s), newHistory(s), newInspect(s), newPrune(s))
	return c
}

// Familiar is a reference as a person writes it, with the tag that is meant.
func Familiar(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	return reference.FamiliarString(reference.TagNameOnly(named))
}

// Complete gives the names of images to a shell.
func Complete(s *session.Session) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		cl, err := s.Client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		list, err := cl.ImageList(c.Context(), client.ImageListOptions{})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var out []string
		for _, i := range list.Items {
			for _, t := range i.RepoTags {
				out = append(out, t, strings.TrimSuffix(t, ":latest"))
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
