//go:build linux

package engine

import (
	"context"
	"os"
	"path/filepath"

	"github.com/berthhq/berth/guestagent/engine/detached"
	"github.com/berthhq/berth/guestagent/engine/idmap"
	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/internal/errdefs"
)

// remap reads what userns-remap means, and moves the state to the directory of that mapping, as docker does.
func (e *Engine) remap() (err error) {
	if e.ids, err = idmap.Load(idmap.Etc, e.opts.Config.UsernsRemap); err != nil {
		return errdefs.Invalid("%w", err)
	}
	if !e.ids.Empty() {
		e.opts.Layout = e.opts.Layout.Remapped(e.ids.RootPair())
	}
	return nil
}

// checkRemap tries once what a mapped root needs, so that the engine's start is refused and not each container's.
func (e *Engine) checkRemap() error {
	if e.ids.Empty() {
		return nil
	}
	dir, err := os.MkdirTemp(e.opts.Layout.Tmp(), "remap-")
	if err != nil {
		return errdefs.System("trying userns-remap: %w", err)
	}
	defer os.RemoveAll(dir)
	sub := map[string]string{}
	for _, name := range []string{"lower", "upper", "work"} {
		sub[name] = filepath.Join(dir, name)
		if err := os.Mkdir(sub[name], 0o755); err != nil {
			return errdefs.System("trying userns-remap: %w", err)
		}
	}
	root, err := detached.Shifted([]detached.Mount{{Type: "overlay", Options: []string{
		"lowerdir=" + sub["lower"], "upperdir=" + sub["upper"], "workdir=" + sub["work"],
	}}}, e.ids)
	if err != nil {
		return errdefs.NotImplemented("userns-remap needs Linux 6.13 or later (this is %s) and a file system below %s that can be mounted with other ids: %w", kernelVersion(), e.opts.Layout.Root, err)
	}
	return root.Close()
}

// securityOptions are what GET /info tells of how containers are confined, in dockerd's words.
func (e *Engine) securityOptions() []string {
	out := []string{"name=seccomp,profile=builtin"}
	if !e.ids.Empty() {
		out = append(out, "name=userns")
	}
	return out
}

// buildRuntime starts the commands of builds. Their roots are overlays, mounted, which cannot be given other ids; as the
// machine's root they do not run where containers' root is to be another user.
type buildRuntime struct {
	*runtime.Client
	mapped bool
}

func (r buildRuntime) Start(ctx context.Context, in runtime.Input) (runtime.State, error) {
	if r.mapped {
		return runtime.State{}, errdefs.NotImplemented("RUN is not supported by this version of berth when user namespaces are enabled")
	}
	return r.Client.Start(ctx, in)
}
