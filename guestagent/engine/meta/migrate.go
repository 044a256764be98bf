//go:build linux

package meta

import (
	"encoding/binary"

	"github.com/berthhq/berth/internal/errdefs"
	bolt "go.etcd.io/bbolt"
)

// migration brings the records from one schema to the next, within the transaction that records that it did.
type migration func(*bolt.Tx) error

// migrations in order; the schema's number is how many of them were done. None is ever removed or changed once it was
// released.
func migrations() []migration {
	return []migration{
		func(*bolt.Tx) error { return nil }, // 1: the first schema
	}
}

var (
	schemaBucket = []byte("schema")
	versionKey   = []byte("version")
)

// migrate does what is missing. A schema newer than ours is refused before anything is read of it.
func migrate(db *bolt.DB, path string) error { return migrateTo(db, path, migrations()) }

func migrateTo(db *bolt.DB, path string, list []migration) error {
	return db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(schemaBucket)
		if err != nil {
			return errdefs.System("migrating %s: %w", path, err)
		}
		var have uint64
		if v := b.Get(versionKey); len(v) == 8 {
			have = binary.BigEndian.Uint64(v)
		}
		if have > uint64(len(list)) {
			return errdefs.Invalid("%s was written by a newer berth (schema %d, this one knows %d)", path, have, len(list)).
				WithHint("update berth, or set BERTH_ROOT to another state directory")
		}
		for i := have; i < uint64(len(list)); i++ {
			if err := list[i](tx); err != nil {
				return errdefs.System("migrating %s to schema %d: %w", path, i+1, err)
			}
		}
		return b.Put(versionKey, binary.BigEndian.AppendUint64(nil, uint64(len(list))))
	})
}
