//go:build linux

package netd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/berthhq/berth/guestagent/engine/network/netdproto"
)

// stateFile is what a successor reads.
type stateFile struct {
	Version   int
	Sandboxes []netdproto.Sandbox
}

// saver writes the state in its own goroutine; saves that come faster than the disk are merged.
type saver struct {
	path string
	wake chan struct{}
	done chan struct{}

	mu     sync.Mutex
	next   []netdproto.Sandbox
	dirty  bool
	failed error
}

func newSaver(path string) *saver {
	s := &saver{path: path, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *saver) run() {
	defer close(s.done)
	for range s.wake {
		s.flush()
	}
	s.flush()
}

func (s *saver) flush() {
	s.mu.Lock()
	next, dirty := s.next, s.dirty
	s.dirty = false
	s.mu.Unlock()
	if !dirty {
		return
	}
	err := write(s.path, next)
	s.mu.Lock()
	s.failed = err
	s.mu.Unlock()
}

func (s *saver) save(recs []netdproto.Sandbox) {
	s.mu.Lock()
	s.next, s.dirty = recs, true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// close writes what is left and returns the last error of writing.
func (s *saver) close() error {
	close(s.wake)
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

func (s *saver) load() ([]netdproto.Sandbox, error) {
	data, err := os.ReadFile(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseState(data)
}

func parseState(data []byte) ([]netdproto.Sandbox, error) {
	var f stateFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("state file: %w", err)
	}
	if f.Version != netdproto.Version {
		return nil, fmt.Errorf("state file has version %d, not %d", f.Version, netdproto.Version)
	}
	return f.Sandboxes, nil
}

func write(path string, recs []netdproto.Sandbox) error {
	data, err := json.Marshal(stateFile{Version: netdproto.Version, Sandboxes: recs})
	if err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return fmt.Errorf("saving state: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("saving state: %w", err)
	}
	return nil
}
