//go:build linux

package meta

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// openTimeout bounds how long another process may hold a database. The engine's lock excludes other engines, so only
// somebody who reads the file by hand is waited for.
const openTimeout = 5 * time.Second

// DB is the databases of one state directory: a durable one, every commit synced, and a volatile one under the
// run-time directory for what need not outlive a boot.
type DB struct {
	durable  *bolt.DB
	volatile *bolt.DB
	lock     *os.File
}

// Open locks a state directory for this engine, creates what is missing of it and brings its records up to date.
// Errors: Conflict where another engine serves it, naming its pid; Invalid where a newer berth wrote it.
func Open(l paths.Layout) (*DB, error) {
	if err := makeDirs(l); err != nil {
		return nil, err
	}
	lock, err := takeLock(l.EngineLock())
	if err != nil {
		return nil, err
	}
	db := &DB{lock: lock}
	if err := db.open(l); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// makeDirs makes the directories of a layout. The socket's group walks through two of them to the socket, hence x for
// all. The others keep everybody out: in a volume or a container's layer lie files that any user could read, and
// programs that run as root for whoever finds them (CVE-2021-41091).
func makeDirs(l paths.Layout) error {
	for _, dir := range []string{l.Root, l.Run} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return errdefs.System("creating the state directory: %w", err)
		}
	}
	for _, dir := range []string{l.Containers(), l.Volumes(), l.Images(), l.RootfsDir(), l.Tmp()} {
		err := os.MkdirAll(dir, 0o700)
		if err == nil {
			err = os.Chmod(dir, 0o700) // also where an earlier berth made it
		}
		if err != nil {
			return errdefs.System("creating the state directory: %w", err)
		}
	}
	return nil
}

func (d *DB) open(l paths.Layout) (err error) {
	d.durable, err = bolt.Open(l.MetaDB(), 0o600, &bolt.Options{Timeout: openTimeout, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return errdefs.System("opening %s: %w", l.MetaDB(), err)
	}
	if err := migrate(d.durable, l.MetaDB()); err != nil {
		return err
	}
	d.volatile, err = openVolatile(l.RunDB())
	return err
}

// openVolatile opens a database that is never synced. After a crash of the machine it is gone with /run; one that was
// torn nevertheless is begun anew.
func openVolatile(path string) (*bolt.DB, error) {
	o := &bolt.Options{Timeout: openTimeout, NoSync: true, NoFreelistSync: true, NoGrowSync: true}
	db, err := bolt.Open(path, 0o600, o)
	if err == nil || errors.Is(err, bolterrors.ErrTimeout) {
		if err != nil {
			return nil, errdefs.System("opening %s: %w", path, err)
		}
		return db, nil
	}
	if rerr := os.Remove(path); rerr != nil {
		return nil, errdefs.System("opening %s: %w", path, errors.Join(err, rerr))
	}
	if db, err = bolt.Open(path, 0o600, o); err != nil {
		return nil, errdefs.System("opening %s: %w", path, err)
	}
	return db, nil
}

// Close gives the state directory back. It may be called more than once.
func (d *DB) Close() error {
	var errs []error
	for _, db := range []*bolt.DB{d.durable, d.volatile} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
		d.lock = nil
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing the databases: %w", err)
	}
	return nil
}
