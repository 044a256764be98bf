package endpoint

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTLSIsDecidedAsDockerDoes(t *testing.T) {
	config, certs := t.TempDir(), t.TempDir()
	for _, name := range []string{"cert.pem", "key.pem"} {
		if err := os.WriteFile(filepath.Join(certs, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	yes, no := true, false
	for _, c := range []struct {
		name string
		host string
		opts TLSOptions
		env  map[string]string
		want *TLSFiles
		at   string
	}{
		{name: "nothing said", want: nil, at: "tcp://h:2375"},
		{name: "verify", opts: TLSOptions{Verify: &yes}, want: &TLSFiles{CA: config + "/ca.pem"}, at: "tcp://h:2376"},
		{name: "tls alone", opts: TLSOptions{Use: true}, want: &TLSFiles{CA: config + "/ca.pem", SkipVerify: true}, at: "tcp://h:2376"},
		{name: "verify=false is TLS too", opts: TLSOptions{Verify: &no}, want: &TLSFiles{CA: config + "/ca.pem", SkipVerify: true}, at: "tcp://h:2376"},
		{name: "the environment", env: map[string]string{"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": certs},
			want: &TLSFiles{CA: certs + "/ca.pem", Cert: certs + "/cert.pem", Key: certs + "/key.pem"}, at: "tcp://h:2376"},
		{name: "the flag wins", opts: TLSOptions{Verify: &no}, env: map[string]string{"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": certs},
			want: &TLSFiles{CA: certs + "/ca.pem", Cert: certs + "/cert.pem", Key: certs + "/key.pem", SkipVerify: true}, at: "tcp://h:2376"},
		{name: "DOCKER_TLS", env: map[string]string{"DOCKER_TLS": "1"}, want: &TLSFiles{CA: config + "/ca.pem", SkipVerify: true}, at: "tcp://h:2376"},
		{name: "named files", opts: TLSOptions{Verify: &yes, CA: "/a", Cert: "/b", Key: "/c"}, want: &TLSFiles{CA: "/a", Cert: "/b", Key: "/c"}, at: "tcp://h:2376"},
		{name: "a unix socket has none", host: "unix:///s", opts: TLSOptions{Verify: &yes}, want: nil, at: "unix:///s"},
	} {
		if c.host == "" {
			c.host = "tcp://h"
		}
		e, err := Resolve(Query{Host: c.host, ConfigDir: config, Getenv: env(c.env), TLS: c.opts})
		if err != nil || e.Host != c.at || (e.TLS == nil) != (c.want == nil) || e.TLS != nil && *e.TLS != *c.want {
			t.Errorf("%s: %s, %+v, %v; want %s, %+v", c.name, e.Host, e.TLS, err, c.at, c.want)
		}
	}
}
