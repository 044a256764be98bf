package inputs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestEveryArchitectureHasItsInputs(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		for _, name := range []string{"kernel", "e2fsprogs", "ca-certificates", "busybox"} {
			if in, err := Find(name, arch); err != nil || in.Size == 0 {
				t.Errorf("%s for %s: %+v %v", name, arch, in, err)
			}
		}
	}
	if _, err := Find("kernel", "riscv64"); err == nil {
		t.Error("an architecture that there is no kernel for passes")
	}
}

// served is a line that names what a mirror has.
func served(t *testing.T, content string, handler http.HandlerFunc) Input {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	sum := sha256.Sum256([]byte(content))
	all, err := parse(fmt.Sprintf("# comment\nthing all %d %s %s/thing_1.deb\n", len(content), hex.EncodeToString(sum[:]), srv.URL))
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func TestAnInputIsFetchedOnce(t *testing.T) {
	asked := 0
	in := served(t, "content", func(w http.ResponseWriter, _ *http.Request) { asked++; fmt.Fprint(w, "content") })
	cache := t.TempDir()
	for range 2 {
		file, err := in.Fetch(t.Context(), cache)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(file); err != nil || string(b) != "content" {
			t.Fatalf("%q %v", b, err)
		}
	}
	if asked != 1 {
		t.Errorf("the mirror was asked %d times", asked)
	}
}

func TestAnotherByteIsRefusedAndTheLineNamed(t *testing.T) {
	in := served(t, "content", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Content") })
	cache := t.TempDir()
	_, err := in.Fetch(t.Context(), cache)
	if err == nil || !strings.Contains(err.Error(), "inputs.txt:2: ") || !strings.Contains(err.Error(), "its SHA-256 is") {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(cache); len(left) != 0 {
		t.Errorf("the cache has %v", left)
	}
}

func TestAnInputThatIsGoneNamesTheLineToChange(t *testing.T) {
	if testing.Short() {
		t.Skip("waits between attempts")
	}
	in := served(t, "content", func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
	_, err := in.Fetch(t.Context(), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "vmimage/inputs/inputs.txt:2: ") || !strings.Contains(err.Error(), "404") || !strings.Contains(err.Error(), "change that line") {
		t.Errorf("error %v", err)
	}
}

func TestACacheThatWasChangedIsFetchedAnew(t *testing.T) {
	in := served(t, "content", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "content") })
	cache := t.TempDir()
	file, err := in.Fetch(t.Context(), cache)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("cOntent"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Fetch(t.Context(), cache); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(file); string(b) != "content" {
		t.Errorf("%q", b)
	}
}

func TestABadLineIsNamed(t *testing.T) {
	for _, line := range []string{"a b", "a all x 00 http://x", "a all 1 zz http://x"} {
		if _, err := parse("\n" + line); err == nil || !strings.Contains(err.Error(), ":2: ") {
			t.Errorf("%q: %v", line, err)
		}
	}
}
