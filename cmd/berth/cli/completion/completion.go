// Package completion completes the names of what an engine has: containers, images, networks, volumes. It never
// starts an engine and keeps silent where none answers.
package completion

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"github.com/berthhq/berth/cmd/berth/cli/session"
)

// bound is how long a person who pressed TAB waits for the engine.
const bound = 2 * time.Second

// Func completes an argument or a flag's value.
type Func = cobra.CompletionFunc

// list makes a completion of what get returns, without the names that stand on the line already.
func list(s *session.Session, get func(context.Context, client.APIClient) ([]string, error)) Func {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		api, err := s.API()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		ctx, cancel := context.WithTimeout(ctx, bound)
		defer cancel()
		names, err := get(ctx, api)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names = slices.DeleteFunc(names, func(n string) bool {
			return slices.Contains(args, n) || !strings.HasPrefix(n, toComplete)
		})
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// First completes the first argument only; the ones after it are the container's own.
func First(f Func) Func {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return f(cmd, args, toComplete)
	}
}

// Then completes the arguments in turn; after the last, nothing.
func Then(fs ...Func) Func {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= len(fs) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return fs[len(args)](cmd, args, toComplete)
	}
}

// Containers completes names of containers whose state is one of states; of all where none is given.
func Containers(s *session.Session, states ...container.ContainerState) Func {
	return list(s, func(ctx context.Context, api client.APIClient) ([]string, error) {
		all, err := api.ContainerList(ctx, client.ContainerListOptions{All: true})
		if err != nil {
			return nil, err
		}
		var names []string
		for _, c := range all.Items {
			if len(states) > 0 && !slices.Contains(states, c.State) {
				continue
			}
			for _, n := range c.Names {
				if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
					names = append(names, n)
				}
			}
		}
		return names, nil
	})
}

// Running completes containers that run.
func Running(s *session.Session) Func {
	return Containers(s, container.StateRunning, container.StatePaused)
}

// Startable completes containers that do not run.
func Startable(s *session.Session) Func {
	return Containers(s, container.StateExited, container.StateCreated)
}

// Images completes tagged images.
func Images(s *session.Session) Func {
	return list(s, func(ctx context.Context, api client.APIClient) ([]string, error) {
		all, err := api.ImageList(ctx, client.ImageListOptions{})
		if err != nil {
			return nil, err
		}
		var names []string
		for _, i := range all.Items {
			for _, t := range i.RepoTags {
				if t == "<none>:<none>" {
					continue
				}
				names = append(names, t)
				if short, ok := strings.CutSuffix(t, ":latest"); ok {
					names = append(names, short)
				}
			}
		}
		return names, nil
	})
}

// Networks completes networks.
func Networks(s *session.Session) Func {
	return list(s, func(ctx context.Context, api client.APIClient) ([]string, error) {
		all, err := api.NetworkList(ctx, client.NetworkListOptions{})
		if err != nil {
			return nil, err
		}
		var names []string
		for _, n := range all.Items {
			names = append(names, n.Name)
		}
		return names, nil
	})
}

// Volumes completes volumes.
func Volumes(s *session.Session) Func {
	return list(s, func(ctx context.Context, api client.APIClient) ([]string, error) {
		all, err := api.VolumeList(ctx, client.VolumeListOptions{})
		if err != nil {
			return nil, err
		}
		var names []string
		for _, v := range all.Items {
			names = append(names, v.Name)
		}
		return names, nil
	})
}

// EnvNames completes names of this process's environment.
func EnvNames() Func {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var names []string
		for _, e := range os.Environ() {
			name, _, _ := strings.Cut(e, "=")
			names = append(names, name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// Values completes from a fixed list.
func Values(values ...string) Func {
	return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
}

// None completes nothing, not even files.
func None() Func { return cobra.NoFileCompletions }
