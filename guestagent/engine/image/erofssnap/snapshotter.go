//go:build linux

package erofssnap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/core/snapshots/storage"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay"
	cerrdefs "github.com/containerd/errdefs"
)

// Names inside the directory of a snapshot.
const (
	layerName  = "layer.erofs"
	newSuffix  = ".new" // of an image that is not complete or not committed
	filesName  = "fs"
	emptiedDir = "fs.old" // files that are in the image by now
)

// Snapshotter keeps snapshots below one directory. Its methods are safe for use by several goroutines.
type Snapshotter struct {
	snapshots.Snapshotter // containerd's, whose directories and database these are

	ms  *storage.MetaStore
	dir string // of snapshots, by ID

	mu      sync.Mutex // held while a layer's directory changes from files to a mount, or back
	mounted map[string]bool
}

// Open opens or makes a snapshotter. Errors: NotImplemented where this machine cannot mount EROFS images or stack them.
func Open(root string) (*Snapshotter, error) {
	dir := filepath.Join(root, "snapshots")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := filepath.EvalSymlinks(root) // as the kernel tells mounts
	if err != nil {
		return nil, err
	}
	if err := unmountBelow(root); err != nil {
		return nil, err
	}
	if err := probe(root); err != nil {
		return nil, errdefs.NotImplemented("this machine does not serve images from EROFS below %s: %w", root, err)
	}
	s := &Snapshotter{dir: filepath.Join(root, "snapshots"), mounted: map[string]bool{}}
	if err := share(s.dir); err != nil {
		return nil, err
	}
	if s.ms, err = storage.NewMetaStore(filepath.Join(root, "metadata.db")); err != nil {
		return nil, err
	}
	s.Snapshotter, err = overlay.NewSnapshotter(root, overlay.AsynchronousRemove, overlay.WithMetaStore(s.ms))
	if err == nil {
		err = s.settle()
	}
	if err != nil {
		_ = s.ms.Close()
		_ = unmount(s.dir)
		return nil, err
	}
	return s, nil
}

// settle finishes commits that were cut short: what is committed and has an image needs no files beside it. What is not
// committed stays a directory.
func (s *Snapshotter) settle() error {
	done := map[string]bool{}
	err := s.ms.WithTransaction(context.Background(), false, func(ctx context.Context) error {
		ids, err := storage.IDMap(ctx)
		if cerrdefs.IsNotFound(err) { // nothing was ever made
			return nil
		}
		if err != nil {
			return err
		}
		for id, key := range ids {
			_, info, _, err := storage.GetInfo(ctx, key)
			if err != nil {
				return err
			}
			done[id] = info.Kind == snapshots.KindCommitted
		}
		return nil
	})
	if err != nil {
		return err
	}
	list, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, d := range list {
		if err := s.settleOne(d.Name(), done[d.Name()]); err != nil {
			return fmt.Errorf("snapshot %s: %w", d.Name(), err)
		}
	}
	return nil
}

func (s *Snapshotter) settleOne(id string, committed bool) error {
	if !committed {
		if err := os.Remove(s.layer(id) + newSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.Rename(s.layer(id)+newSuffix, s.layer(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Lstat(s.layer(id)); err != nil {
		return nil // a directory
	}
	dir := filepath.Join(s.dir, id)
	if err := empty(dir); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(dir, emptiedDir))
}

// empty puts the files of a snapshot aside, as emptiedDir, and leaves a directory to mount on, with the owner and mode
// that a new snapshot on top of it takes. One that is empty stays.
func empty(dir string) error {
	files := filepath.Join(dir, filesName)
	fi, err := os.Lstat(files)
	put := errors.Is(err, fs.ErrNotExist) // aside, and no more
	if put {
		fi, err = os.Lstat(filepath.Join(dir, emptiedDir))
	}
	if err != nil {
		return err
	}
	if !put && os.Remove(files) != nil { // not empty
		if err := os.Rename(files, filepath.Join(dir, emptiedDir)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(files, 0o755); err != nil {
		return err
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		if err := os.Chown(files, int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	return os.Chmod(files, fi.Mode())
}

// LayerFile is where a snapshot that was prepared without a parent may get its image from who fills it: the commit
// takes the image then, and not the directory.
func (s *Snapshotter) LayerFile(mounts []mount.Mount) (string, error) {
	if len(mounts) != 1 || mounts[0].Type != "bind" {
		return "", errdefs.System("snapshotter gave %v where one bind mount was expected", mounts)
	}
	return filepath.Join(filepath.Dir(mounts[0].Source), layerName+newSuffix), nil
}

func (s *Snapshotter) layer(id string) string { return filepath.Join(s.dir, id, layerName) }

// find gives the directory's name of a snapshot, and its description.
func (s *Snapshotter) find(ctx context.Context, key string) (id string, info snapshots.Info, err error) {
	err = s.ms.WithTransaction(ctx, false, func(ctx context.Context) error {
		id, info, _, err = storage.GetInfo(ctx, key)
		return err
	})
	return id, info, err
}

// Prepare implements snapshots.Snapshotter.
func (s *Snapshotter) Prepare(ctx context.Context, key, parent string, opts ...snapshots.Opt) ([]mount.Mount, error) {
	ms, err := s.Snapshotter.Prepare(ctx, key, parent, opts...)
	return s.shown(ms, err)
}

// View implements snapshots.Snapshotter.
func (s *Snapshotter) View(ctx context.Context, key, parent string, opts ...snapshots.Opt) ([]mount.Mount, error) {
	ms, err := s.Snapshotter.View(ctx, key, parent, opts...)
	return s.shown(ms, err)
}

// Mounts implements snapshots.Snapshotter.
func (s *Snapshotter) Mounts(ctx context.Context, key string) ([]mount.Mount, error) {
	ms, err := s.Snapshotter.Mounts(ctx, key)
	return s.shown(ms, err)
}

// shown mounts the images of the layers that mounts name.
func (s *Snapshotter) shown(mounts []mount.Mount, err error) ([]mount.Mount, error) {
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, dir := range lowers(mounts) {
		rel, err := filepath.Rel(s.dir, dir)
		id, name := filepath.Split(rel)
		if err != nil || name != filesName {
			continue
		}
		if err := s.show(filepath.Clean(id)); err != nil {
			return nil, err
		}
	}
	return mounts, nil
}

// show mounts one layer's image, if it has one. The caller holds mu.
func (s *Snapshotter) show(id string) error {
	if s.mounted[id] {
		return nil
	}
	switch _, err := os.Lstat(s.layer(id)); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	if err := mountImage(s.layer(id), filepath.Join(s.dir, id, filesName)); err != nil {
		return errdefs.System("mounting layer %s: %w", s.layer(id), err)
	}
	s.mounted[id] = true
	return nil
}

// lowers are the directories of mounts that may be of committed layers.
func lowers(mounts []mount.Mount) (dirs []string) {
	for _, m := range mounts {
		if m.Type == "bind" {
			dirs = append(dirs, m.Source)
		}
		for _, o := range m.Options {
			if v, ok := strings.CutPrefix(o, "lowerdir="); ok {
				dirs = append(dirs, strings.Split(v, ":")...)
			}
		}
	}
	return dirs
}

// Usage implements snapshots.Snapshotter.
func (s *Snapshotter) Usage(ctx context.Context, key string) (snapshots.Usage, error) {
	u, err := s.Snapshotter.Usage(ctx, key)
	if err != nil {
		return u, err
	}
	id, info, err := s.find(ctx, key)
	if err != nil || info.Kind != snapshots.KindCommitted {
		return u, err
	}
	var st syscall.Stat_t
	if err := syscall.Lstat(s.layer(id), &st); err != nil {
		return u, nil // a directory
	}
	return snapshots.Usage{Inodes: 1, Size: st.Blocks * 512}, nil
}

// Remove implements snapshots.Snapshotter.
func (s *Snapshotter) Remove(ctx context.Context, key string) error {
	id, _, err := s.find(ctx, key)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.Snapshotter.Remove(ctx, key); err != nil {
		return err
	}
	return s.hide(id)
}

// hide unmounts a layer's image. The caller holds mu.
func (s *Snapshotter) hide(id string) error {
	if !s.mounted[id] {
		return nil
	}
	if err := unmount(filepath.Join(s.dir, id, filesName)); err != nil {
		return err
	}
	delete(s.mounted, id)
	return nil
}

// Cleanup implements snapshots.Cleaner.
func (s *Snapshotter) Cleanup(ctx context.Context) error {
	c, ok := s.Snapshotter.(snapshots.Cleaner)
	if !ok {
		return nil
	}
	s.mu.Lock() // what is removed has been unmounted
	defer s.mu.Unlock()
	return c.Cleanup(ctx)
}

// Close implements snapshots.Snapshotter.
func (s *Snapshotter) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for id := range s.mounted {
		errs = append(errs, s.hide(id))
	}
	errs = append(errs, unmount(s.dir))
	if err := s.Snapshotter.Close(); err != nil {
		errs = append(errs, fmt.Errorf("closing the snapshotter: %w", err))
	}
	return errors.Join(errs...)
}
