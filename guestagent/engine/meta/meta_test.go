//go:build linux

package meta

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
	bolt "go.etcd.io/bbolt"
)

type record struct {
	Name string
	N    int
}

func opened(t *testing.T, l paths.Layout) *DB {
	t.Helper()
	db, err := Open(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestRecordsOutliveTheEngine(t *testing.T) {
	l := paths.For(t.TempDir())
	db := opened(t, l)
	s, v := NewStore[record](db, "things"), NewVolatile[record](db, "things")
	if err := s.Put("a", record{"first", 1}); err != nil {
		t.Fatal(err)
	}
	s.Put("b", record{"second", 2})
	s.Delete("b")
	s.Delete("never was")
	v.Put("c", record{"passing", 3})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = opened(t, l)
	s, v = NewStore[record](db, "things"), NewVolatile[record](db, "things")
	all, err := s.All()
	if err != nil || len(all) != 1 || all["a"] != (record{"first", 1}) {
		t.Errorf("records %v, error %v", all, err)
	}
	if got, err := v.Get("c"); err != nil || got.N != 3 {
		t.Errorf("volatile record %v, error %v", got, err)
	}
	if _, err := s.Get("b"); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("error %v", err)
	}
	if all, err := NewStore[record](db, "nothing").All(); err != nil || len(all) != 0 {
		t.Errorf("an empty noun has %v, error %v", all, err)
	}
}

func TestSecondEngineIsRefused(t *testing.T) {
	l := paths.For(t.TempDir())
	opened(t, l)
	_, err := Open(l)
	if errdefs.KindOf(err) != errdefs.KindConflict || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) || errdefs.HintOf(err) == "" {
		t.Errorf("error %v", err)
	}
}

func TestNewerStateIsRefused(t *testing.T) {
	l := paths.For(t.TempDir())
	db := opened(t, l)
	newer := append(migrations(), func(*bolt.Tx) error { return nil })
	if err := migrateTo(db.durable, l.MetaDB(), newer); err != nil {
		t.Fatal(err)
	}
	db.Close()
	_, err := Open(l)
	if errdefs.KindOf(err) != errdefs.KindInvalid || !strings.Contains(err.Error(), "newer berth") {
		t.Errorf("error %v", err)
	}
}

func TestMigrationsRunOnceInOrder(t *testing.T) {
	l := paths.For(t.TempDir())
	db := opened(t, l)
	var ran []int
	list := append(migrations(), func(*bolt.Tx) error { ran = append(ran, 2); return nil }, func(*bolt.Tx) error { ran = append(ran, 3); return nil })
	for range 2 {
		if err := migrateTo(db.durable, "x", list); err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(ran) != "[2 3]" {
		t.Errorf("ran %v", ran)
	}
	broken := errors.New("broken")
	if err := migrateTo(db.durable, "x", append(list, func(*bolt.Tx) error { return broken })); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if err := migrateTo(db.durable, "x", list); err != nil {
		t.Errorf("a migration that failed was recorded: %v", err)
	}
}

func TestTornVolatileDatabaseIsBegunAnew(t *testing.T) {
	l := paths.For(t.TempDir())
	opened(t, l).Close()
	if err := os.WriteFile(l.RunDB(), []byte(strings.Repeat("junk", 4096)), 0o600); err != nil {
		t.Fatal(err)
	}
	db := opened(t, l)
	if all, err := NewVolatile[record](db, "things").All(); err != nil || len(all) != 0 {
		t.Errorf("records %v, error %v", all, err)
	}
}

func TestDirectoriesCannotBeListedByOthers(t *testing.T) {
	l := paths.For(t.TempDir() + "/state")
	opened(t, l)
	for _, dir := range []string{l.Root, l.Run, l.Containers(), l.Volumes(), l.Tmp()} {
		st, err := os.Stat(dir)
		if err != nil || st.Mode().Perm()&0o044 != 0 {
			t.Errorf("%s has mode %v, error %v", dir, st.Mode(), err)
		}
	}
	for _, dir := range []string{l.Containers(), l.Volumes(), l.Images(), l.RootfsDir(), l.Tmp()} {
		if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v, error %v", dir, st.Mode(), err)
		}
	}
}
