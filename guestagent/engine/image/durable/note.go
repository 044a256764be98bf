//go:build linux

package durable

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/containerd/log"
	"golang.org/x/sys/unix"
)

// Note is a note on disk of the layers whose files the kernel may not have written yet. Their database records
// are synced, so that after a power cut a layer could be there by name and hold empty files. Writing a layer's files out
// takes as long as unpacking them; so a pull does not wait for it: the note is made before the first layer is committed
// and goes when a background sync is done. If an engine finds it after another boot, it unpacks those layers again, out
// of the content store, which is always synced.
type Note struct {
	file string
	boot string
	root string

	mu     sync.Mutex
	chains map[string]bool
	done   sync.WaitGroup // background syncs
}

// record is the form on disk.
type record struct {
	Boot   string   `json:"boot"`
	Chains []string `json:"chains"`
}

// Open prepares the note of one image store; it reads nothing yet.
func Open(root string) *Note {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		boot = nil
	}
	return &Note{
		file: filepath.Join(root, "unsynced.json"), root: root, boot: strings.TrimSpace(string(boot)), chains: map[string]bool{},
	}
}

// Begin notes layers that are about to be committed.
func (u *Note) Begin(chains []string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range chains {
		u.chains[c] = true
	}
	return u.write()
}

// write replaces the note on disk, synced. The caller holds the lock.
func (u *Note) write() error {
	if len(u.chains) == 0 {
		if err := os.Remove(u.file); err != nil && !os.IsNotExist(err) {
			return err
		}
		return nil
	}
	n := record{Boot: u.boot}
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

// Finish syncs in the background and then forgets the layers.
func (u *Note) Finish(chains []string) {
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

// Suspect lists the layers that an earlier boot may have lost the files of. What the same boot noted is in the kernel's
// memory still, if not on disk, and only needs its sync.
func (u *Note) Suspect() []string {
	b, err := os.ReadFile(u.file)
	if err != nil {
		return nil
	}
	var n record
	if json.Unmarshal(b, &n) != nil {
		return nil
	}
	if n.Boot == u.boot {
		u.mu.Lock()
		for _, c := range n.Chains {
			u.chains[c] = true
		}
		u.mu.Unlock()
		u.Finish(n.Chains)
		return nil
	}
	return n.Chains
}

// Clear forgets the layers that Suspect named, once they are removed.
func (u *Note) Clear() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.write()
}

// Wait returns when the syncs in the background are done.
func (u *Note) Wait() { u.done.Wait() }
