//go:build linux

package sandbox

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/inroot"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/moby/buildkit/executor"
	"github.com/moby/sys/mountinfo"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

type rawMounts = []specs.Mount

// resolve asks BuildKit what a mount consists of, and keeps it until the world is closed.
func (w *world) resolve(ctx context.Context, m executor.Mount, readonly bool) ([]mount.Mount, error) {
	if m.Src == nil {
		return nil, errdefs.System("mount %s has no source", m.Dest)
	}
	ref, err := m.Src.Mount(ctx, readonly)
	if err != nil {
		return nil, fmt.Errorf("failed to mount %s: %w", m.Dest, err)
	}
	list, release, err := ref.Mount()
	if err != nil {
		return nil, fmt.Errorf("failed to mount %s: %w", m.Dest, err)
	}
	w.later(release)
	return list, nil
}

// mountAll brings a build's mounts into the runtime's form. Of several at one place the last counts.
func (w *world) mountAll(ctx context.Context, mounts []executor.Mount) error {
	for i, m := range mounts {
		list, err := w.resolve(ctx, m, m.Readonly)
		if err != nil {
			return err
		}
		if sub := path.Join("/", m.Selector); sub != "/" {
			if list, err = w.part(list, sub, strconv.Itoa(i), m.Readonly); err != nil {
				return err
			}
		}
		dst := path.Join("/", m.Dest)
		w.mounts = slices.DeleteFunc(w.mounts, func(o specs.Mount) bool { return o.Destination == dst })
		for _, part := range list {
			w.mounts = append(w.mounts, specs.Mount{Destination: dst, Type: part.Type, Source: part.Source, Options: options(part)})
		}
	}
	return nil
}

// options are a mount's options as the runtime knows them: a mount of a build reaches nobody else.
func options(m mount.Mount) []string {
	out := slices.Clone(m.Options)
	if m.Type == "bind" && !slices.ContainsFunc(out, func(o string) bool { return strings.HasSuffix(o, "private") }) {
		out = append(out, "rprivate")
	}
	return out
}

// part gives the file or directory of a mount that a command is to see of it. The mount is made on this machine, and
// the part found in it without ever following a link out of it, also while another command changes its files.
func (w *world) part(list []mount.Mount, sub, name string, readonly bool) ([]mount.Mount, error) {
	whole := filepath.Join(w.dir, "whole"+name)
	if err := os.Mkdir(whole, 0o700); err != nil {
		return nil, errdefs.System("mount of a build's command: %w", err)
	}
	if err := mount.All(list, whole); err != nil {
		return nil, errdefs.System("mount of a build's command: %w", err)
	}
	w.later(func() error { return unmount(whole) })
	root, err := os.Open(whole)
	if err != nil {
		return nil, errdefs.System("mount of a build's command: %w", err)
	}
	defer root.Close()
	fd, err := inroot.Open(int(root.Fd()), sub, unix.O_PATH, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "mount", Path: sub, Err: err}
	}
	defer unix.Close(fd)
	target, err := bindAt(fd, filepath.Join(w.dir, "part"+name))
	if err != nil {
		return nil, errdefs.System("mount of a build's command: %s: %w", sub, err)
	}
	w.later(func() error { return unmount(target) })
	opts := []string{"rbind"}
	if readonly {
		opts = append(opts, "ro")
	}
	return []mount.Mount{{Type: "bind", Source: target, Options: opts}}, nil
}

// bindAt binds what a descriptor names at a path that is made for it.
func bindAt(fd int, target string) (string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		if err := os.Mkdir(target, 0o700); err != nil {
			return "", err
		}
	} else if err := os.WriteFile(target, nil, 0o600); err != nil {
		return "", err
	}
	return target, unix.Mount("/proc/self/fd/"+strconv.Itoa(fd), target, "", unix.MS_BIND|unix.MS_REC, "")
}

// unmount takes a mount away; one that is in use still is no longer seen, and goes with its last user.
func unmount(dir string) error {
	if err := mount.UnmountAll(dir, 0); err == nil {
		return nil
	}
	return mount.UnmountAll(dir, unix.MNT_DETACH)
}

// unmountBelow takes away all mounts below a directory.
func unmountBelow(dir string) error {
	list, err := mountinfo.GetMounts(mountinfo.PrefixFilter(dir))
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b *mountinfo.Info) int { return len(b.Mountpoint) - len(a.Mountpoint) })
	for _, m := range list {
		if err := mount.UnmountAll(m.Mountpoint, unix.MNT_DETACH); err != nil {
			return err
		}
	}
	return nil
}
