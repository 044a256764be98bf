//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOptionsOfTCP(t *testing.T) {
	t.Setenv("BERTH_ROOT", t.TempDir())
	t.Setenv("DOCKER_TLS_VERIFY", "")
	for _, c := range []struct{ name, file, args, fault string }{
		{name: "plain", args: "-H tcp://0.0.0.0:2375", fault: "served only with --tlsverify"},
		{name: "plain in the file", file: `{"hosts":["tcp://0:1"]}`, fault: "served only with --tlsverify"},
		{name: "tls without verify", file: `{"hosts":["tcp://0:1"],"tls":true}`, fault: "served only with --tlsverify"},
		{name: "verify false", file: `{"hosts":["tcp://0:1"],"tlsverify":false}`, fault: "served only with --tlsverify"},
		{name: "verified in the file", file: `{"hosts":["tcp://0:1"],"tlsverify":true}`},
		{name: "verified by a flag", file: `{"hosts":["tcp://0:1"]}`, args: "--tlsverify"},
		{name: "both, and different", file: `{"tlsverify":true}`, args: "--tlsverify=false", fault: "tlsverify: (from flag: false, from file: true)"},
		{name: "two certificates", file: `{"tlscert":"/a"}`, args: "--tlscert /b", fault: "tlscert: (from flag: /b, from file: /a)"},
		{name: "two groups", file: `{"group":"a"}`, args: "-G b", fault: "group: (from flag: b, from file: a)"},
		{name: "what is not served", args: "-H npipe://x", fault: "not unix:///path or tcp://"},
		{name: "an empty path", args: "-H unix://", fault: "not unix:///path or tcp://"},
	} {
		file := filepath.Join(t.TempDir(), "engine.json")
		if err := os.WriteFile(file, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		_, done, err := parse(append([]string{"--config-file", file, "--validate"}, strings.Fields(c.args)...), &out, &errs)
		switch {
		case c.fault == "" && (err != nil || !done):
			t.Errorf("%s: %v", c.name, err)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%s: %v; want %q", c.name, err, c.fault)
		}
	}
}

func TestSocketOfItsGroup(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving a socket to a group wants root")
	}
	path := filepath.Join(t.TempDir(), "s")
	for group, ok := range map[string]bool{"": true, "daemon": true, "0": true, "no-such-group": false} {
		l, err := listenUnix(path, group)
		if (err == nil) != ok {
			t.Errorf("group %q: %v", group, err)
		}
		if err != nil {
			continue
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
			t.Errorf("group %q: %v, %v", group, info.Mode(), err)
		}
		l.Close()
	}
}
