//go:build linux

package meta

import (
	"encoding/json"
	"fmt"

	"github.com/berthhq/berth/internal/errdefs"
	bolt "go.etcd.io/bbolt"
)

// Store is the records of one noun. Safe for concurrent use. A Put or Delete that returned nil has happened: on disk,
// synced, where the store is durable.
type Store[T any] struct {
	db     *bolt.DB
	bucket []byte
}

// NewStore gives the durable records of a noun.
func NewStore[T any](d *DB, bucket string) *Store[T] {
	return &Store[T]{db: d.durable, bucket: []byte(bucket)}
}

// NewVolatile gives records of a noun that need not outlive a boot.
func NewVolatile[T any](d *DB, bucket string) *Store[T] {
	return &Store[T]{db: d.volatile, bucket: []byte(bucket)}
}

// Put writes a record.
func (s *Store[T]) Put(key string, v T) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("record %s of %s: %w", key, s.bucket, err)
	}
	err = s.db.Update(func(tx *bolt.Tx) error {
		bucket, err := tx.CreateBucketIfNotExists(s.bucket)
		if err != nil {
			return err
		}
		return bucket.Put([]byte(key), b)
	})
	if err != nil {
		return errdefs.System("writing record %s of %s: %w", key, s.bucket, err)
	}
	return nil
}

// Get reads a record. Errors: NotFound.
func (s *Store[T]) Get(key string) (v T, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		if b := tx.Bucket(s.bucket); b != nil {
			if raw := b.Get([]byte(key)); raw != nil {
				return json.Unmarshal(raw, &v)
			}
		}
		return errdefs.NotFound("no record %s of %s", key, s.bucket)
	})
	return v, err
}

// Delete removes a record; one that does not exist is gone already.
func (s *Store[T]) Delete(key string) error {
	err := s.db.Update(func(tx *bolt.Tx) error {
		if b := tx.Bucket(s.bucket); b != nil {
			return b.Delete([]byte(key))
		}
		return nil
	})
	if err != nil {
		return errdefs.System("deleting record %s of %s: %w", key, s.bucket, err)
	}
	return nil
}

// All reads every record. One that cannot be read is an error that names it: data is never dropped in silence.
func (s *Store[T]) All() (map[string]T, error) {
	out := map[string]T{}
	err := s.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(s.bucket)
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, raw []byte) error {
			var v T
			if err := json.Unmarshal(raw, &v); err != nil {
				return errdefs.System("record %s of %s: %w", k, s.bucket, err)
			}
			out[string(k)] = v
			return nil
		})
	})
	return out, err
}
