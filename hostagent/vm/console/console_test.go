package console

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/paths"
)

func TestTheNewestPartIsKept(t *testing.T) {
	names := paths.Machine{Name: "test", Dir: t.TempDir()}
	c, err := Open(names, nil)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 1023) + "\n"
	c.Copy(io.NopCloser(strings.NewReader(strings.Repeat(line, 3000) + "the end\n")))
	for name, most := range map[string]int{names.Console(): size, names.OldConsole(): size} {
		if st, err := os.Stat(name); err != nil || st.Size() == 0 || st.Size() > int64(most) || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	if b, err := os.ReadFile(names.Console()); err != nil || !strings.HasSuffix(string(b), "the end\n") {
		t.Errorf("the newest words are missing: %v", err)
	}
	if c.Panicked() != "" {
		t.Errorf("panicked: %q", c.Panicked())
	}
}

func TestLastWordsAreHeardOnce(t *testing.T) {
	n := 0
	c, err := Open(paths.Machine{Dir: t.TempDir()}, func() { n++ })
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	go func() {
		for _, part := range []string{"Kernel pan", "ic - not syncing: Attempted to kill init!\r", "\nmore\n", "and more\n"} {
			_, _ = io.WriteString(w, part)
		}
		w.Close()
	}()
	c.Copy(r)
	if got, want := c.Panicked(), "Kernel panic - not syncing: Attempted to kill init!"; got != want || n != 1 {
		t.Errorf("%q, told %d times", got, n)
	}
}
