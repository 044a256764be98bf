package endpoint

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAContextGoesFromOneMachineToAnother(t *testing.T) {
	here, there, ca := Contexts{Dir: t.TempDir()}, Contexts{Dir: t.TempDir()}, filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(ca, []byte("certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := here.Create(Context{Name: "far", Host: "tcp://far:2376", Description: "away", SkipTLSVerify: true}); err != nil {
		t.Fatal(err)
	}
	if err := here.SaveTLS("far", TLSFiles{CA: ca}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := here.Export("far", &b); err != nil {
		t.Fatal(err)
	}
	packed := b.Bytes()
	if err := there.Import("near", bytes.NewReader(packed)); err != nil {
		t.Fatal(err)
	}
	c, err := there.Get("near")
	if want := (Context{Name: "near", Host: "tcp://far:2376", Description: "away", SkipTLSVerify: true}); err != nil || c != want {
		t.Errorf("%+v, %v", c, err)
	}
	if got, err := os.ReadFile(there.TLS(c).CA); err != nil || string(got) != "certificate" {
		t.Errorf("%q, %v", got, err)
	}
	if err := there.Import("near", bytes.NewReader(packed)); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("twice: %v", err)
	}
	if err := here.Export("nowhere", &b); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("nowhere: %v", err)
	}
}

func TestABadContextLeavesNothing(t *testing.T) {
	s := Contexts{Dir: t.TempDir()}
	for want, files := range map[string]map[string]string{
		"no metadata found":                      {"tls/docker/ca.pem": "x"},
		"unexpected context file: ../meta.json":  {"../meta.json": "{}"},
		"unexpected context file: tls/docker/sh": {"tls/docker/sh": "x", "meta.json": "{}"},
		"meta.json: invalid character":           {"meta.json": "x"},
		"larger than":                            {"meta.json": strings.Repeat(" ", mostImported)},
	} {
		var b bytes.Buffer
		tw := tar.NewWriter(&b)
		for name, text := range files {
			if err := addFile(tw, name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		tw.Close()
		if err := s.Import("bad", &b); err == nil || !strings.Contains(err.Error(), want) && want != "larger than" {
			t.Errorf("%v; want %q", err, want)
		}
		if all, err := s.List(); err != nil || len(all) != 0 {
			t.Errorf("%s: left %v, %v", want, all, err)
		}
	}
	if err := s.Import("bad", strings.NewReader("not a tar")); err == nil {
		t.Error("text was imported")
	}
}
