//go:build linux

package image

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/berthhq/berth/guestagent/engine/image/progress"
	"github.com/containerd/containerd/v2/core/snapshots"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/containerd/log"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// unsynced is a note on disk of the layers whose files the kernel may not have written yet. Their database records
// are synced, so that after a power cut a layer could be there by name and hold empty files. Writing a layer's files out
// takes as long as unpacking them; so a pull does not wait for it: the note is made before the first layer is committed
// and goes when a background sync is done. If an engine finds it after another boot, it unpacks those layers again, out
// of the content store, which is always synced.
type unsynced struct {
	file string
	boot string
	root string

	mu     sync.Mutex
	chains map[string]bool
	done   sync.WaitGroup // background syncs
}

// note is the form on disk.
type note struct {
	Boot   string   `json:"boot"`
	Chains []string `json:"chains"`
}

func newUnsynced(root string) *unsynced {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		boot = nil
	}
	return &unsynced{
		file: filepath.Join(root, "unsynced.json"), root: root, boot: strings.TrimSpace(string(boot)), chains: map[string]bool{},
	}
}

// begin notes layers that are about to be committed.
func (u *unsynced) begin(chains []string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range chains {
		u.chains[c] = true
	}
	return u.write()
}

// write replaces the note on disk, synced. The caller holds the lock.
func (u *unsynced) write() error {
	if len(u.chains) == 0 {
		if err := os.Remove(u.file); err != nil && !os.IsNotExist(err) {
			return err
		}
		return nil
	}
	n := note{Boot: u.boot}
	for c := range u.chains {
		n.Chains = append(n.Chains, c)
	}
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	tmp := u.file + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp, u.file)
}

// finish syncs in the background and then forgets the layers.
func (u *unsynced) finish(chains []string) {
	u.done.Go(func() {
		if err := syncFS(u.root); err != nil {
			log.L.WithError(err).Error("writing image layers to disk")
			return
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		for _, c := range chains {
			delete(u.chains, c)
		}
		if err := u.write(); err != nil {
			log.L.WithError(err).Error("noting that image layers are on disk")
		}
	})
}

func syncFS(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}

// suspect lists the layers that an earlier boot may have lost the files of. What the same boot noted is in the kernel's
// memory still, if not on disk, and only needs its sync.
func (u *unsynced) suspect() []string {
	b, err := os.ReadFile(u.file)
	if err != nil {
		return nil
	}
	var n note
	if json.Unmarshal(b, &n) != nil {
		return nil
	}
	if n.Boot == u.boot {
		u.mu.Lock()
		for _, c := range n.Chains {
			u.chains[c] = true
		}
		u.mu.Unlock()
		u.finish(n.Chains)
		return nil
	}
	return n.Chains
}

// dropSuspects removes the layers that a power cut may have spoilt, and what stands on them; they are unpacked again
// when they are wanted.
func (s *Service) dropSuspects(ctx context.Context) error {
	bad := map[string]bool{}
	for _, c := range s.unsynced.suspect() {
		bad[c] = true
	}
	if len(bad) == 0 {
		return nil
	}
	ctx = s.ctx(ctx)
	parents := map[string]string{}
	err := s.sn.Walk(ctx, func(_ context.Context, info snapshots.Info) error {
		parents[info.Name] = info.Parent
		return nil
	})
	if err != nil {
		return fmt.Errorf("listing snapshots: %w", err)
	}
	spoilt := func(name string) bool {
		for ; name != ""; name = parents[name] {
			if bad[name] {
				return true
			}
		}
		return false
	}
	for len(parents) > 0 {
		leaf := s.nextLeaf(parents, spoilt)
		if leaf == "" {
			break
		}
		if err := s.sn.Remove(ctx, leaf); err != nil && !cerrdefs.IsNotFound(err) {
			return fmt.Errorf("removing layer %s, which a power cut may have spoilt: %w", leaf, err)
		}
		delete(parents, leaf)
	}
	s.unsynced.mu.Lock()
	defer s.unsynced.mu.Unlock()
	return s.unsynced.write()
}

// nextLeaf finds a spoilt snapshot that no other stands on.
func (s *Service) nextLeaf(parents map[string]string, spoilt func(string) bool) string {
	isParent := map[string]bool{}
	for _, p := range parents {
		isParent[p] = true
	}
	for name := range parents {
		if !isParent[name] && spoilt(name) {
			return name
		}
	}
	return ""
}

// unpackAgain unpacks an image whose layers are gone while its content is here.
func (s *Service) unpackAgain(ctx context.Context, manifest ocispec.Descriptor) error {
	ctx = s.ctx(ctx)
	p, err := s.load(ctx, manifest)
	if err != nil {
		return err
	}
	ctx, done, err := s.lease(ctx, "unpack "+manifest.Digest.String())
	if err != nil {
		return err
	}
	defer done(true)
	return s.newLayerSet(nil, p, progress.New(nil)).run(ctx)
}
