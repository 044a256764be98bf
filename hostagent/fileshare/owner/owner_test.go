package owner

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/berthhq/berth/hostagent/fileshare/tree"
	"github.com/berthhq/berth/internal/fusewire"
)

func none([]byte) (int, error) { return 0, fusewire.ENODATA }

func TestRecordsBesideTheirFilesLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "owners")
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	id, gone := tree.ID{Dev: 1, Ino: 2, Born: 3}, tree.ID{Dev: 1, Ino: 9}
	link := fusewire.Attr{Mode: fusewire.ModeSymlink | 0o777, UID: 5, GID: 6}
	for _, i := range []tree.ID{id, gone} {
		if err := m.Set(tree.Ref{}, i, link, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Set(tree.Ref{}, gone, fusewire.Attr{Mode: link.Mode}, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString("set 1 2") // torn
	_ = f.Close()
	for range 2 {
		if m, err = Open(path); err != nil {
			t.Fatal(err)
		}
		for i, want := range map[tree.ID]uint32{id: 5, gone: 0, {Dev: 1, Ino: 2, Born: 4}: 0} {
			s := tree.Stat{ID: i, Attr: fusewire.Attr{Mode: link.Mode, UID: 1000}}
			m.Show(&s, none)
			if s.Attr.UID != want {
				t.Errorf("%v shows owner %d, want %d", i, s.Attr.UID, want)
			}
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestShow(t *testing.T) {
	m, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		record         string
		host           uint32
		mode, uid, gid uint32
	}{
		{"", 0o644, 0o644, 0, 0},
		{"", 0o4755, 0o755, 0, 0}, // a setuid program of the host's is none in the guest
		{"70:71:400:600", 0o600, 0o400, 70, 71},
		{"70:71:4755:755", 0o755, 0o4755, 70, 71},
		{"70:71:400:600", 0o644, 0o644, 70, 71}, // the host's chmod counts
		{"nonsense", 0o640, 0o640, 0, 0},
		{"1:2:77777:640", 0o640, 0o640, 0, 0},
	} {
		s := tree.Stat{Attr: fusewire.Attr{Mode: fusewire.ModeRegular | c.host, UID: 1000, GID: 1000}}
		m.Show(&s, func(b []byte) (int, error) {
			if c.record == "" {
				return none(b)
			}
			return copy(b, c.record), nil
		})
		a := s.Attr
		if a.Mode != fusewire.ModeRegular|c.mode || a.UID != c.uid || a.GID != c.gid {
			t.Errorf("%q with %o shows %o %d:%d", c.record, c.host, a.Mode, a.UID, a.GID)
		}
	}
}
