//go:build linux

package container

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/moby/moby/api/types/container"
)

// ContainerChanges lists what a container has changed in its file system: what stands in the upper layer of its
// overlay (Documentation/filesystems/overlayfs.rst in the kernel).
func (s *Service) ContainerChanges(ctx context.Context, ref string) ([]container.FilesystemChange, error) {
	e, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	r := e.snapshot()
	mounts, err := s.Images.Mounts(ctx, r.Image, r.ID, s.Layout.Container(r.ID))
	if err != nil {
		return nil, err
	}
	upper, lower := layersOf(mounts)
	if upper == "" {
		return nil, errdefs.System("container %s has no writable layer", r.Name)
	}
	var out []container.FilesystemChange // null for none, as dockerd
	err = filepath.WalkDir(upper, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == upper || ctx.Err() != nil {
			return ctx.Err()
		}
		rel := strings.TrimPrefix(name, upper)
		if ours()[rel] {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		out = append(out, container.FilesystemChange{Path: rel, Kind: changeKind(d, rel, lower)})
		return nil
	})
	if err != nil {
		return nil, errdefs.System("reading the changes of container %s: %w", r.Name, err)
	}
	out = slices.DeleteFunc(out, func(c container.FilesystemChange) bool { return onlyOurs(out, c, upper, lower) })
	slices.SortFunc(out, func(a, b container.FilesystemChange) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// ours are the places of mounts and files that every container gets; they are nobody's change.
func ours() map[string]bool {
	out := map[string]bool{}
	for _, p := range strings.Fields("/.dockerenv /dev /proc /sys /etc/hosts /etc/hostname /etc/resolv.conf /etc/mtab /sbin/docker-init") {
		out[p] = true
	}
	return out
}

// onlyOurs says that a directory stands in the upper layer for nothing but files of ours that were made in it.
func onlyOurs(all []container.FilesystemChange, c container.FilesystemChange, upper string, lower []string) bool {
	holds := func(p string) bool { return strings.HasPrefix(p, c.Path+"/") }
	if c.Kind != container.ChangeModify || !slices.ContainsFunc(slices.Collect(maps.Keys(ours())), holds) {
		return false
	}
	if slices.ContainsFunc(all, func(o container.FilesystemChange) bool { return holds(o.Path) }) {
		return false
	}
	var now, was syscall.Stat_t
	if syscall.Lstat(upper+c.Path, &now) != nil {
		return false
	}
	for _, l := range lower {
		if syscall.Lstat(l+c.Path, &was) == nil {
			return now.Mode == was.Mode && now.Uid == was.Uid && now.Gid == was.Gid
		}
	}
	return false
}

// changeKind tells a whiteout (a character device 0:0) from what is new and what stood in a lower layer.
func changeKind(d fs.DirEntry, rel string, lower []string) container.ChangeType {
	if d.Type()&os.ModeCharDevice != 0 {
		if info, err := d.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Rdev == 0 {
				return container.ChangeDelete
			}
		}
	}
	for _, l := range lower {
		if _, err := os.Lstat(l + rel); err == nil {
			return container.ChangeModify
		}
	}
	return container.ChangeAdd
}

// layersOf finds the directories in the options of an overlay.
func layersOf(mounts []mount.Mount) (upper string, lower []string) {
	for _, m := range mounts {
		for _, o := range m.Options {
			if v, ok := strings.CutPrefix(o, "upperdir="); ok {
				upper = v
			}
			if v, ok := strings.CutPrefix(o, "lowerdir="); ok {
				lower = strings.Split(v, ":")
			}
		}
	}
	return upper, lower
}
