package endpoint

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
)

func TestContextLife(t *testing.T) {
	s := Contexts{Dir: t.TempDir()}
	c := Context{Name: "far", Description: "a server", Host: "tcp://far:2376", SkipTLSVerify: true}
	if err := s.Create(c); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get("far"); err != nil || got != c {
		t.Fatalf("got %+v, %v", got, err)
	}
	if err := s.Create(c); errdefs.KindOf(err) != errdefs.KindConflict {
		t.Fatalf("a second of the name: %v", err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte("cert"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveTLS("far", TLSFiles{CA: ca}); err != nil {
		t.Fatal(err)
	}
	tls := s.TLS(c)
	if tls == nil || !tls.SkipVerify || tls.Cert != "" || filepath.Dir(filepath.Dir(tls.CA)) != s.TLSPath("far") {
		t.Fatalf("TLS %+v", tls)
	}
	if all, err := s.List(); err != nil || len(all) != 1 {
		t.Fatalf("list %v, %v", all, err)
	}
	if err := s.Remove("far"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get("far"); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Fatalf("after removal: %v", err)
	}
	if _, err := os.Stat(s.TLSPath("far")); !os.IsNotExist(err) {
		t.Fatalf("certificates left: %v", err)
	}
}

// The file is docker's own, found by the digest of the name.
func TestReadsWhatDockerWrote(t *testing.T) {
	s := Contexts{Dir: t.TempDir()}
	dir := filepath.Join(s.Dir, "contexts", "meta", "fe9c6bd7a66301f49ca9b6a70b217107cd1284598bfc254700c989b916da791e")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	const meta = `{"Name":"desktop-linux","Metadata":{"Description":"Docker Desktop"},"Endpoints":{"docker":{"Host":"unix:///d.sock","SkipTLSVerify":false}}}`
	if err := os.WriteFile(filepath.Join(dir, "meta.json"), []byte(meta), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := s.Get("desktop-linux")
	if err != nil || c.Host != "unix:///d.sock" || c.Description != "Docker Desktop" || s.TLS(c) != nil {
		t.Fatalf("got %+v, %v", c, err)
	}
}

func TestContextNames(t *testing.T) {
	s := Contexts{Dir: t.TempDir()}
	for _, name := range []string{"", "a", "default", "../x", "a/b", ".a", "a b"} {
		if err := s.Create(Context{Name: name, Host: "unix:///x"}); errdefs.KindOf(err) != errdefs.KindInvalid {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzParseContext(f *testing.F) {
	f.Add([]byte(`{"Name":"x","Endpoints":{"docker":{"Host":"unix:///x"}}}`))
	f.Add([]byte(`{"Endpoints":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseContext(b)
		if err != nil && c != (Context{}) {
			t.Fatalf("an error and %+v", c)
		}
	})
}
