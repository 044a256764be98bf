package registry

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/registry"
)

func client(t *testing.T, cfg Config) *Client {
	t.Helper()
	if cfg.Proxy == nil {
		cfg.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestInsecure(t *testing.T) {
	c := client(t, Config{Insecure: []string{"reg.lan:5000", "10.1.0.0/16", "http://old.lan", "fd00::/8"}})
	for host, want := range map[string]bool{
		"reg.lan:5000": true, "reg.lan": false, "reg.lan:443": false, "old.lan": true, "old.lan:5000": true,
		"10.1.2.3:80": true, "10.2.0.1": false, "127.0.0.1:5000": true, "127.9.9.9": true, "localhost:1": true,
		"[::1]:5000": true, "[fd00::1]:5000": true, "[fe80::1]:5000": false, "docker.io": false, "localhost.evil.example": false,
		"127.0.0.1.evil.example": false, "": false,
	} {
		if got := c.Insecure(host); got != want {
			t.Errorf("Insecure(%q) = %v", host, got)
		}
	}
}

func TestBadConfigurationIsRefusedByName(t *testing.T) {
	for _, cfg := range []Config{
		{Insecure: []string{"a/b"}}, {Insecure: []string{""}}, {Insecure: []string{"user@host"}},
		{Mirrors: []string{"ftp://x"}}, {Mirrors: []string{"https://"}}, {Mirrors: []string{"https://u:p@x"}},
		{Mirrors: []string{"https://x?y=z"}}, {Mirrors: []string{"https://x#f"}}, {Mirrors: []string{"http://[::1"}},
	} {
		if _, err := NewClient(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		} else if strings.Contains(err.Error(), ":p@") {
			t.Errorf("the error shows a password: %v", err)
		}
	}
}

func TestMirrorsComeFirstAndForTheHubOnly(t *testing.T) {
	c := client(t, Config{Mirrors: []string{"https://mirror.lan/hub/", "http://127.0.0.1:5001"}})
	auth := &registry.AuthConfig{Username: "u", Password: "p"}
	hosts, err := c.Hosts(context.Background(), DockerHub, auth)(DockerHub)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range hosts {
		got = append(got, h.Scheme+"://"+h.Host+h.Path)
	}
	want := "https://mirror.lan/hub/v2 http://127.0.0.1:5001/v2 https://registry-1.docker.io/v2"
	if strings.Join(got, " ") != want {
		t.Errorf("hosts = %v, want %s", got, want)
	}
	hosts, err = c.Hosts(context.Background(), "quay.io", auth)("quay.io")
	if err != nil || len(hosts) != 1 || hosts[0].Host != "quay.io" {
		t.Errorf("hosts of another registry: %v, %v", hosts, err)
	}
}

func TestCredentialsGoToTheirHostOnly(t *testing.T) {
	auth := &registry.AuthConfig{Username: "u", Password: "p"}
	for _, tt := range []struct{ domain, host, user string }{
		{DockerHub, "registry-1.docker.io", "u"}, {DockerHub, "mirror.lan", ""}, {"a.lan:5000", "a.lan:5000", "u"},
		{"a.lan:5000", "a.lan", ""}, {"a.lan", "b.lan", ""},
	} {
		user, secret, err := credentials(tt.domain, auth)(tt.host)
		if err != nil || user != tt.user || (secret != "") != (tt.user != "") {
			t.Errorf("credentials of %s for %s: %q, %v", tt.domain, tt.host, user, err)
		}
	}
}

func TestUserSecret(t *testing.T) {
	for _, tt := range []struct {
		auth         *registry.AuthConfig
		user, secret string
		has          bool
	}{
		{nil, "", "", false},
		{&registry.AuthConfig{}, "", "", false},
		{&registry.AuthConfig{Username: "u", Password: "p"}, "u", "p", true},
		{&registry.AuthConfig{Auth: "dTpwOnE="}, "u", "p:q", true},
		{&registry.AuthConfig{Auth: "!"}, "", "", false},
		{&registry.AuthConfig{Username: "u", Password: "p", IdentityToken: "t"}, "", "t", true},
		{&registry.AuthConfig{RegistryToken: "b"}, "", "", true},
	} {
		user, secret := userSecret(tt.auth)
		if user != tt.user || secret != tt.secret || HasCredentials(tt.auth) != tt.has {
			t.Errorf("%+v: %q %q %v", tt.auth, user, secret, HasCredentials(tt.auth))
		}
	}
}

func TestRegistryTokenIsSentAsItIs(t *testing.T) {
	got := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		w.WriteHeader(http.StatusNotFound)
	}))
	defer srv.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	r := client(t, Config{}).Resolver(context.Background(), host, &registry.AuthConfig{RegistryToken: "tok"})
	if _, _, err := r.Resolve(context.Background(), host+"/x:1"); err == nil {
		t.Fatal("resolved what is not there")
	}
	if got != "Bearer tok" {
		t.Errorf("Authorization = %q", got)
	}
}

// A registry with a certificate of its own is reached when certs.d has its CA, refused without, and reached unverified
// when it is named insecure.
func TestPrivateCA(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("a", 64))
		w.Header().Set("Content-Length", "2")
		if r.Method == http.MethodGet {
			_, _ = w.Write([]byte("{}"))
		}
	}))
	defer srv.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(srv.URL, "https://"), ":")
	// Not a loopback name, so that the loopback rule does not apply.
	host := "example.com:" + port
	certs := t.TempDir()
	if err := os.MkdirAll(filepath.Join(certs, host), 0o700); err != nil {
		t.Fatal(err)
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(certs, host, "ca.crt"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		cfg Config
		ok  bool
	}{
		"certs.d": {Config{CertsDirs: []string{certs}}, true}, "unknown": {Config{}, false}, "insecure": {Config{Insecure: []string{host}}, true},
	} {
		// The test server's certificate is for example.com: a proxy that answers CONNECT leads there.
		proxy := httptest.NewServer(connectTo(srv.Listener.Addr().String()))
		u, _ := url.Parse(proxy.URL)
		tt.cfg.Proxy = func(*http.Request) (*url.URL, error) { return u, nil }
		_, _, err := client(t, tt.cfg).Resolver(context.Background(), host, nil).Resolve(context.Background(), host+"/x:1")
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
		proxy.Close()
	}
}

func TestHostDirNeverLeavesItsRoot(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "certs.d", "good.lan"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := client(t, Config{CertsDirs: []string{filepath.Join(root, "certs.d")}})
	if c.hostDir("good.lan") == "" {
		t.Error("good.lan has a directory")
	}
	for _, bad := range []string{"", ".", "..", "../certs.d", "a/../good.lan", `..\x`} {
		if d := c.hostDir(bad); d != "" {
			t.Errorf("hostDir(%q) = %s", bad, d)
		}
	}
}

func TestDomain(t *testing.T) {
	for in, want := range map[string]string{
		"": DockerHub, "https://index.docker.io/v1/": DockerHub, "docker.io": DockerHub, "https://reg.lan:5000/v2/": "reg.lan:5000",
		"http://127.0.0.1:5000": "127.0.0.1:5000", "ghcr.io": "ghcr.io",
	} {
		if got := Domain(in); got != want {
			t.Errorf("Domain(%q) = %q", in, got)
		}
	}
}

func FuzzParseMirror(f *testing.F) {
	for _, s := range []string{"mirror.lan", "https://m/x", "http://[::1]:5", "ftp://x", "https://u:p@h", "", "%zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseMirror(s)
		if err == nil && (u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "http" && u.Scheme != "https") {
			t.Errorf("ParseMirror(%q) = %v", s, u)
		}
	})
}

func FuzzInsecure(f *testing.F) {
	f.Add("reg.lan:5000", "reg.lan:5000")
	f.Add("10.0.0.0/8", "10.1.1.1:5")
	f.Add("::/0", "[::1]:1")
	f.Fuzz(func(t *testing.T, entry, host string) {
		c, err := NewClient(Config{Insecure: []string{entry}})
		if err == nil {
			c.Insecure(host)
			c.hostDir(host)
		}
	})
}
