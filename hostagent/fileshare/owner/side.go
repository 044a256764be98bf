package owner

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/berthhq/berth/hostagent/fileshare/tree"
)

// side is the database of records that stand beside their files, all of them in memory too.
type side struct {
	db *bbolt.DB // nil: in memory alone

	mu   sync.RWMutex
	recs map[tree.ID][]byte
}

var bucket = []byte("owners")

func openSide(path string) (*side, error) {
	s := &side{recs: map[tree.ID][]byte{}}
	if path == "" {
		return s, nil
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("owners of shared files, %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		return b.ForEach(func(k, v []byte) error {
			if len(k) == 24 {
				be := binary.BigEndian
				s.recs[tree.ID{Dev: be.Uint64(k), Ino: be.Uint64(k[8:]), Born: be.Uint64(k[16:])}] = append([]byte(nil), v...)
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("owners of shared files, %s: %w", path, err)
	}
	s.db = db
	return s, nil
}

func key(id tree.ID) []byte {
	be := binary.BigEndian
	return be.AppendUint64(be.AppendUint64(be.AppendUint64(nil, id.Dev), id.Ino), id.Born)
}

func (s *side) close() error {
	if s.db == nil {
		return nil
	}
	return s.db.Close()
}

func (s *side) any() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.recs) > 0
}

func (s *side) get(id tree.ID) []byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.recs[id]
}

func (s *side) set(id tree.ID, rec []byte) error {
	s.mu.Lock()
	s.recs[id] = rec
	s.mu.Unlock()
	if s.db == nil {
		return nil
	}
	return s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key(id), rec) })
}

func (s *side) remove(id tree.ID) error {
	s.mu.Lock()
	_, had := s.recs[id]
	delete(s.recs, id)
	s.mu.Unlock()
	if s.db == nil || !had {
		return nil
	}
	return s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Delete(key(id)) })
}
