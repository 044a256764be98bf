//go:build linux

package durable

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestNoteStandsUntilTheSync(t *testing.T) {
	dir := t.TempDir()
	n := Open(dir)
	file := filepath.Join(dir, "unsynced.json")
	if err := n.Begin([]string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r record
	if err := json.Unmarshal(b, &r); err != nil || len(r.Chains) != 2 || r.Boot != n.boot {
		t.Errorf("note %s (%v)", b, err)
	}
	n.Finish([]string{"a"})
	n.Wait()
	if _, err := os.Stat(file); err != nil {
		t.Fatalf("the note went while b is not synced: %v", err)
	}
	n.Finish([]string{"b"})
	n.Wait()
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the note is left: %v", err)
	}
}

func TestSuspects(t *testing.T) {
	boot := Open(t.TempDir()).boot
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"nothing":      {"", nil},
		"broken":       {"{", nil},
		"this boot":    {`{"boot":"` + boot + `","chains":["a"]}`, nil},
		"another boot": {`{"boot":"x","chains":["a","b"]}`, []string{"a", "b"}},
	} {
		dir := t.TempDir()
		if tt.text != "" {
			if err := os.WriteFile(filepath.Join(dir, "unsynced.json"), []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		n := Open(dir)
		if got := n.Suspect(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
		n.Wait()
	}
}

func TestClearForgetsSuspects(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "unsynced.json")
	if err := os.WriteFile(file, []byte(`{"boot":"x","chains":["a"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	n := Open(dir)
	n.Suspect()
	if err := n.Clear(); err != nil {
		t.Fatal(err)
	}
	if got := Open(dir).Suspect(); got != nil {
		t.Errorf("suspects after Clear: %v", got)
	}
}
