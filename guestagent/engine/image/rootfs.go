//go:build linux

package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	continuityfs "github.com/containerd/continuity/fs"
	cerrdefs "github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Names inside the directory of a container.
const (
	upperName = "upper"
	workName  = "work"
	holdName  = "layers.json"
)

// viewPrefix begins the key of the one view that all containers of a chain share.
const viewPrefix = "view-"

// gcRoot makes a snapshot a root of garbage collection.
const gcRoot = "containerd.io/gc.root"

// hold is what a container keeps of an image; it lies in the container's directory, so that no database is written
// for a container, and is read back when the engine starts.
type hold struct {
	ChainID  string             `json:"chainID"`
	ImageID  string             `json:"imageID"`
	Manifest ocispec.Descriptor `json:"manifest"`
}

func holdFor(img *Image) hold {
	return hold{ChainID: img.ChainID, ImageID: img.ID, Manifest: img.Manifest}
}

// holds knows which containers stand on which chains.
type holds struct {
	mu     sync.RWMutex
	byID   map[string]hold
	lowers map[string][]string // chain ID -> directories, nearest first
}

// newHolds reads what the containers of an earlier engine hold.
func newHolds(layout paths.Layout) *holds {
	h := &holds{byID: map[string]hold{}, lowers: map[string][]string{}}
	files, _ := filepath.Glob(filepath.Join(layout.Containers(), "*", holdName))
	more, _ := filepath.Glob(filepath.Join(layout.Containers(), "*", "*", holdName))
	mounted, _ := filepath.Glob(filepath.Join(layout.Containers(), "*", mountHoldPrefix+"*.json"))
	for _, f := range slices.Concat(files, more, mounted) {
		got, err := readHold(f)
		if err != nil {
			continue
		}
		rel, err := filepath.Rel(layout.Containers(), f)
		if err != nil {
			continue
		}
		id, _, _ := strings.Cut(rel, string(filepath.Separator))
		if strings.HasPrefix(filepath.Base(f), mountHoldPrefix) {
			id = rel
		}
		h.byID[id] = got
	}
	return h
}

func readHold(file string) (hold, error) {
	var h hold
	b, err := os.ReadFile(file)
	if err != nil {
		return h, err
	}
	return h, json.Unmarshal(b, &h)
}

// Prepare makes the writable layer of container id below dir, which must exist, and holds the image's layers until
// Release. Called again it changes nothing.
func (s *Service) Prepare(ctx context.Context, img *Image, id, dir string) error {
	// The hold counts from here on, so that a garbage collection that runs now leaves the view alone.
	s.holds.mu.Lock()
	s.holds.byID[id] = holdFor(img)
	s.holds.mu.Unlock()
	err := s.prepare(ctx, img, dir)
	if err != nil {
		s.holds.mu.Lock()
		delete(s.holds.byID, id)
		s.holds.mu.Unlock()
		return fmt.Errorf("writable layer of container %s: %w", id, err)
	}
	return nil
}

func (s *Service) prepare(ctx context.Context, img *Image, dir string) error {
	lowers, err := s.lowersOrUnpack(ctx, img)
	if err != nil {
		return err
	}
	b, err := json.Marshal(holdFor(img))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, holdName), b, 0o600); err != nil {
		return err
	}
	mode, uid, gid := fs.FileMode(0o755), 0, 0
	if fi, err := os.Stat(lowers[0]); err == nil {
		if st, ok := fi.Sys().(*syscall.Stat_t); ok {
			mode, uid, gid = fi.Mode(), int(st.Uid), int(st.Gid)
		}
	}
	upper := filepath.Join(dir, upperName)
	for _, d := range []string{upper, filepath.Join(dir, workName)} {
		if err := os.Mkdir(d, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := os.Lchown(upper, uid, gid); err != nil {
		return err
	}
	return os.Chmod(upper, mode.Perm()|mode&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky))
}

// mend makes a writable layer anew that a power cut took: a record is on the disk at once, the directories that were made
// before it only when the file system commits, on ext4 within five seconds. What the container wrote in those is gone.
func (s *Service) mend(ctx context.Context, img *Image, dir string) error {
	for _, name := range []string{upperName, workName} {
		_, err := os.Stat(filepath.Join(dir, name))
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.MkdirAll(dir, 0o710); err != nil {
			return err
		}
		return s.prepare(ctx, img, dir)
	}
	return nil
}

// Mounts describes the root of container id: one overlay mount of the image's layers and the container's own. img may
// be nil for a container that Prepare was called for, also by an earlier engine and if the image is gone.
func (s *Service) Mounts(ctx context.Context, img *Image, id, dir string) ([]mount.Mount, error) {
	var lowers []string
	var err error
	if img != nil {
		if lowers, err = s.lowersOrUnpack(ctx, img); err == nil {
			err = s.mend(ctx, img, dir)
		}
	} else {
		lowers, err = s.lowersOfHold(ctx, id, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("root of container %s: %w", id, err)
	}
	return []mount.Mount{{Type: "overlay", Source: "overlay", Options: []string{
		"index=off",
		"workdir=" + filepath.Join(dir, workName),
		"upperdir=" + filepath.Join(dir, upperName),
		"lowerdir=" + strings.Join(lowers, ":"),
	}}}, nil
}

// lowersOrUnpack is lowers for an image whose layers may have to be unpacked first.
func (s *Service) lowersOrUnpack(ctx context.Context, img *Image) ([]string, error) {
	lowers, err := s.lowers(s.ctx(ctx), img.ChainID)
	if !cerrdefs.IsNotFound(err) || img.Manifest.Digest == "" {
		return lowers, err
	}
	if uerr := s.unpackAgain(ctx, img.Manifest); uerr != nil {
		if cerrdefs.IsNotFound(uerr) {
			return nil, err // the content is gone as well
		}
		return nil, uerr
	}
	return s.lowers(s.ctx(ctx), img.ChainID)
}

// lowersOfHold is lowersOrUnpack for a container that stands without its image's description.
func (s *Service) lowersOfHold(ctx context.Context, id, dir string) ([]string, error) {
	h, err := s.holdOf(id, dir)
	if err != nil {
		return nil, err
	}
	return s.lowersOrUnpack(ctx, &Image{ID: h.ImageID, ChainID: h.ChainID, Manifest: h.Manifest})
}

func (s *Service) holdOf(id, dir string) (hold, error) {
	s.holds.mu.RLock()
	h, ok := s.holds.byID[id]
	s.holds.mu.RUnlock()
	if ok {
		return h, nil
	}
	h, err := readHold(filepath.Join(dir, holdName))
	if err != nil {
		return h, errdefs.NotFound("container %s has no writable layer: %w", id, err)
	}
	return h, nil
}

// Release lets the image's layers go. The container's directory, which held the writable layer, is removed by its
// owner before or after. It is no error if there was nothing to release.
func (s *Service) Release(ctx context.Context, id string) error {
	s.holds.mu.Lock()
	var let []hold
	for key, h := range s.holds.byID {
		if key == id || strings.HasPrefix(key, id+"/") {
			let = append(let, h)
			delete(s.holds.byID, key)
		}
	}
	s.holds.mu.Unlock()
	for _, h := range let {
		list, err := s.images.List(s.ctx(ctx), `target.digest=="`+h.ImageID+`"`)
		if err == nil && len(list) == 0 {
			s.gc.soon() // the image went before its last container
		}
	}
	return nil
}

// Usage tells the bytes that a container wrote, and those of its whole root filesystem.
func (s *Service) Usage(ctx context.Context, id, dir string) (rw, rootfs int64, err error) {
	h, err := s.holdOf(id, dir)
	if err != nil {
		return 0, 0, err
	}
	du, err := continuityfs.DiskUsage(ctx, filepath.Join(dir, upperName))
	if err != nil {
		return 0, 0, fmt.Errorf("size of container %s: %w", id, err)
	}
	below, err := s.chainSize(s.ctx(ctx), h.ChainID)
	return du.Size, du.Size + below, err
}

// chainSize is the size of all unpacked layers of a chain, in bytes.
func (s *Service) chainSize(ctx context.Context, chain string) (int64, error) {
	total := int64(0)
	for name := chain; name != ""; {
		u, err := s.sn.Usage(ctx, name)
		if err != nil {
			return 0, fmt.Errorf("size of layer %s: %w", name, err)
		}
		info, err := s.sn.Stat(ctx, name)
		if err != nil {
			return 0, fmt.Errorf("size of layer %s: %w", name, err)
		}
		total += u.Size
		name = info.Parent
	}
	return total, nil
}

// lowers gives the directories of a chain's layers, nearest first, and makes the view that holds them if there is none.
func (s *Service) lowers(ctx context.Context, chain string) ([]string, error) {
	s.holds.mu.RLock()
	dirs, ok := s.holds.lowers[chain]
	s.holds.mu.RUnlock()
	if ok {
		return dirs, nil
	}
	s.holds.mu.Lock()
	defer s.holds.mu.Unlock()
	if dirs, ok := s.holds.lowers[chain]; ok {
		return dirs, nil
	}
	dirs, err := s.openView(ctx, chain)
	if err == nil {
		s.holds.lowers[chain] = dirs
	}
	return dirs, err
}

func (s *Service) openView(ctx context.Context, chain string) ([]string, error) {
	if chain == "" {
		empty := filepath.Join(s.layout.Images(), "empty")
		if err := os.MkdirAll(empty, 0o755); err != nil {
			return nil, err
		}
		return []string{empty}, nil
	}
	key := viewPrefix + chain
	ms, err := s.sn.View(ctx, key, chain, snapshots.WithLabels(map[string]string{gcRoot: "container"}))
	if cerrdefs.IsAlreadyExists(err) {
		ms, err = s.sn.Mounts(ctx, key)
	}
	switch {
	case cerrdefs.IsNotFound(err):
		return nil, errdefs.NotFound("the image's layers are gone (%s)", chain)
	case err != nil:
		return nil, err
	case len(ms) != 1:
		return nil, errdefs.System("snapshotter gave %d mounts where one was expected", len(ms))
	}
	if ms[0].Type == "bind" {
		return []string{ms[0].Source}, nil
	}
	for _, o := range ms[0].Options {
		if v, ok := strings.CutPrefix(o, "lowerdir="); ok {
			return strings.Split(v, ":"), nil
		}
	}
	return nil, errdefs.System("snapshotter gave a mount of type %s without lower directories", ms[0].Type)
}

// dropViews removes the views that neither a container nor an image stands on, and tells how many. The view of an
// image that is here stays, so that starting a container of it writes no database.
func (s *Service) dropViews(ctx context.Context) (int, error) {
	s.holds.mu.Lock()
	defer s.holds.mu.Unlock()
	used := map[string]bool{}
	for _, h := range s.holds.byID {
		used[viewPrefix+h.ChainID] = true
	}
	err := s.content.Walk(ctx, func(info content.Info) error {
		used[viewPrefix+info.Labels[refSnapshot+s.driver]] = true
		return nil
	}, `labels."`+refSnapshot+s.driver+`"`)
	if err != nil {
		return 0, fmt.Errorf("listing image configurations: %w", err)
	}
	var unused []string
	err = s.sn.Walk(ctx, func(_ context.Context, info snapshots.Info) error {
		if strings.HasPrefix(info.Name, viewPrefix) && !used[info.Name] {
			unused = append(unused, info.Name)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("listing views: %w", err)
	}
	for _, key := range unused {
		delete(s.holds.lowers, strings.TrimPrefix(key, viewPrefix))
		if err := s.sn.Remove(ctx, key); err != nil && !cerrdefs.IsNotFound(err) {
			return 0, fmt.Errorf("removing view %s: %w", key, err)
		}
	}
	return len(unused), nil
}
