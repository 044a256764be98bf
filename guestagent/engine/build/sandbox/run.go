//go:build linux

package sandbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/continuity/fs"
	"github.com/moby/buildkit/executor"
	"github.com/moby/buildkit/executor/oci"
	"github.com/moby/buildkit/executor/resources/types"
	"github.com/moby/buildkit/identity"
	"github.com/moby/sys/user"
)

// Run runs a command to its end. Its error is an ExitError where the command itself failed.
func (x *Executor) Run(ctx context.Context, id string, root executor.Mount, mounts []executor.Mount, p executor.ProcessInfo, started chan<- struct{}) (_ types.Recorder, err error) {
	if id == "" {
		id = identity.NewID()
	}
	if err := executor.ValidContainerID(id); err != nil {
		return nil, err
	}
	if p.Meta.Proxy != nil {
		return nil, errdefs.NotImplemented("builds behind a recording proxy are not supported")
	}
	c, err := x.begin(id)
	if err != nil {
		return nil, err
	}
	tell := sync.OnceFunc(func() {
		close(c.started)
		if started != nil {
			close(started)
		}
	})
	defer tell()
	defer x.end(id)
	return nil, x.run(ctx, id, c, root, mounts, p, tell)
}

func (x *Executor) run(ctx context.Context, id string, c *command, root executor.Mount, mounts []executor.Mount, p executor.ProcessInfo, tell func()) (err error) {
	// What is taken away is taken away also where the build was cancelled.
	after := context.WithoutCancel(ctx)
	w, err := x.furnish(ctx, id, root, mounts, p.Meta)
	defer func() { err = errors.Join(err, w.close()) }()
	if err != nil {
		return err
	}
	net, err := x.attach(ctx, id, p.Meta)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.detach(after, id)) }()
	c.in = x.input(id, w, net, root.Readonly, p)
	ended, forget := x.exits.expect(ctx, id)
	defer forget()
	io, err := x.connect(after, id, p)
	if err != nil {
		return err
	}
	// A start is not left half done: a build that is cancelled kills what has been started.
	if _, err = x.Runtime.Start(after, c.in); err != nil {
		_ = x.Runtime.Release(after, id, "") // there may be nothing
		io.finish()
		return startError(ctx, p, err)
	}
	x.exits.begun(id)
	c.live = true
	tell()
	st := x.wait(ctx, id, "", p, ended)
	_ = x.Runtime.Release(after, id, "") // who follows all containers may have done it already
	io.finish()
	return exitError(ctx, p.Meta, st)
}

// input is the command as the runtime takes it.
func (x *Executor) input(id string, w *world, net attached, readonly bool, p executor.ProcessInfo) runtime.Input {
	m := p.Meta
	host := hostConfig(m)
	host.CgroupnsMode = x.CgroupNS
	host.ReadonlyRootfs = readonly || m.ReadonlyRootFS
	runtime.HidePaths(host)
	parent, _ := onNetwork(m.CgroupParent)
	return runtime.Input{
		ID: id, Name: id, Hostname: hostname(m), Config: containerConfig(m), Host: host,
		Args: m.Args,
		// A command of a build sees what the Dockerfile says and no more: the bare name takes docker's variable away.
		Env:        append([]string{"HOSTNAME"}, m.Env...),
		Rootfs:     []mount.Mount{{Type: "bind", Source: w.root, Options: []string{"rbind"}}},
		Files:      net.files,
		Raw:        w.mounts,
		NetNS:      net.namespace,
		CgroupPath: x.Cgroups.Path(parent, id),
		Systemd:    x.Cgroups.Systemd(),
		Streams:    proto.Streams{Terminal: m.Tty, Stdin: p.Stdin != nil, StdinOnce: p.Stdin != nil},
		Log:        proto.Log{Driver: "none"},
	}
}

// world is what a command sees of files, mounted on this machine.
type world struct {
	dir    string // of the command; all below goes with it
	root   string
	mounts rawMounts
	undo   []func() error // last first
}

func (w *world) later(f func() error) {
	if f != nil {
		w.undo = append(w.undo, f)
	}
}

func (w *world) close() error {
	var errs []error
	for i := len(w.undo) - 1; i >= 0; i-- {
		errs = append(errs, w.undo[i]())
	}
	w.undo = nil
	return errors.Join(errs...)
}

// remove takes the mount points away. It never goes into one, since what is mounted there is an image's.
func (w *world) remove() error {
	list, err := os.ReadDir(w.dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := os.Remove(filepath.Join(w.dir, e.Name())); err != nil {
			return err
		}
	}
	return os.Remove(w.dir)
}

// furnish mounts the root of a command, makes its working directory and finds its mounts. The world is to be closed
// also where there is an error.
func (x *Executor) furnish(ctx context.Context, id string, root executor.Mount, mounts []executor.Mount, m executor.Meta) (*world, error) {
	w := &world{dir: x.dir(id), root: filepath.Join(x.dir(id), "root")}
	if err := os.MkdirAll(w.root, 0o700); err != nil {
		return w, errdefs.System("root of a build's command: %w", err)
	}
	w.later(w.remove)
	list, err := w.resolve(ctx, root, false)
	if err != nil {
		return w, err
	}
	if err := mount.All(list, w.root); err != nil {
		return w, errdefs.System("root of a build's command: %w", err)
	}
	w.later(func() error { return unmount(w.root) })
	clean := executor.MountStubsCleaner(context.WithoutCancel(ctx), w.root, mounts, m.RemoveMountStubsRecursive)
	w.later(func() error { clean(); return nil })
	if err := workingDir(w.root, m); err != nil {
		return w, err
	}
	return w, w.mountAll(ctx, mounts)
}

// workingDir makes the working directory where the root has none.
func workingDir(root string, m executor.Meta) error {
	dir, err := fs.RootPath(root, m.Cwd)
	if err != nil {
		return errdefs.Invalid("working dir %s points to invalid target: %w", m.Cwd, err)
	}
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	uid, gid, _, err := oci.GetUser(root, m.User)
	if err != nil {
		return errdefs.Invalid("user %s: %w", m.User, err)
	}
	if err := user.MkdirAllAndChown(dir, 0o755, int(uid), int(gid)); err != nil {
		return errdefs.System("failed to create working directory %s: %w", m.Cwd, err)
	}
	return nil
}
