package owner

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/berthhq/berth/hostagent/fileshare/tree"
)

// side is the records that stand beside their files: in memory, and in a file to which each change is a line. What is out
// of date goes when the file is opened. A line that a power cut tore is left out.
//
//	set DEV INO BORN RECORD
//	del DEV INO BORN
type side struct {
	mu   sync.RWMutex
	file *os.File // nil: in memory alone
	recs map[tree.ID]string
}

func openSide(path string) (*side, error) {
	s := &side{recs: map[tree.ID]string{}}
	if path == "" {
		return s, nil
	}
	if err := s.load(path); err != nil {
		return nil, fmt.Errorf("owners of shared files: %w", err)
	}
	if err := s.compact(path); err != nil {
		return nil, fmt.Errorf("owners of shared files: %w", err)
	}
	return s, nil
}

func (s *side) load(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var verb, rec string
		var id tree.ID
		n, _ := fmt.Sscan(lines.Text(), &verb, &id.Dev, &id.Ino, &id.Born, &rec)
		if _, ok := unmarshal([]byte(rec)); verb == "set" && n == 5 && ok {
			s.recs[id] = rec
		}
		if verb == "del" && n == 4 {
			delete(s.recs, id)
		}
	}
	return lines.Err()
}

// compact writes what counts into a new file and takes it in place of the old one.
func (s *side) compact(path string) error {
	f, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	for id, rec := range s.recs {
		_, _ = fmt.Fprintln(out, "set", id.Dev, id.Ino, id.Born, rec)
	}
	if err := errors.Join(out.Flush(), f.Sync(), os.Rename(path+".new", path)); err != nil {
		return errors.Join(err, f.Close())
	}
	s.file = f
	return nil
}

func (s *side) close() error {
	if s.file == nil {
		return nil
	}
	return errors.Join(s.file.Sync(), s.file.Close())
}

func (s *side) any() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.recs) > 0
}

func (s *side) get(id tree.ID) []byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if rec, ok := s.recs[id]; ok {
		return []byte(rec)
	}
	return nil
}

func (s *side) set(id tree.ID, rec []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recs[id] = string(rec)
	return s.note("set", id.Dev, id.Ino, id.Born, string(rec))
}

func (s *side) remove(id tree.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, had := s.recs[id]; !had {
		return nil
	}
	delete(s.recs, id)
	return s.note("del", id.Dev, id.Ino, id.Born)
}

func (s *side) note(words ...any) error {
	if s.file == nil {
		return nil
	}
	_, err := fmt.Fprintln(s.file, words...)
	return err
}
