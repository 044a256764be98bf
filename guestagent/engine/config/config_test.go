package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeysAreDockers(t *testing.T) {
	c, err := Parse([]byte(`{"bip":"10.9.0.1/24","default-address-pools":[{"base":"10.50.0.0/16","size":24}],"mtu":1400,
		"dns":["1.1.1.1"],"log-driver":"local","log-opts":{"max-size":"5m"},"registry-mirrors":["https://m"],"live-restore":true,
		"insecure-registries":["r:5000"],"default-shm-size":"128m","icc":false,"default-ulimits":{"nofile":{"Name":"nofile","Hard":5,"Soft":4}},
		"proxies":{"http-proxy":"http://p"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.BIP != "10.9.0.1/24" || c.DefaultAddrPools[0].Size != 24 || c.ShmSize != 128<<20 || *c.ICC || c.Ulimits["nofile"].Hard != 5 || c.Proxies.HTTP != "http://p" {
		t.Errorf("%+v", c)
	}
	if c.IPForward != nil {
		t.Error("what is not named is set")
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		`{"bipp":"x","zzz":1}`:                       "don't match any configuration option: bipp, zzz",
		`[]`:                                         "not a JSON object",
		`{"mtu":"big"}`:                              "mtu",
		`{"bip":"10.0.0.300/8"}`:                     "bip",
		`{"mtu":-1}`:                                 "mtu",
		`{"dns":["here"]}`:                           `"here" is not an IP address`,
		`{"log-driver":"syslog"}`:                    "log-driver",
		`{"hosts":["ftp://0:2375"]}`:                 "not unix:///path or tcp://",
		`{"tlsverify":"yes"}`:                        "tlsverify",
		`{"default-cgroupns-mode":"x"}`:              "cgroup namespace mode",
		`{"labels":["x"]}`:                           "bad attribute format",
		`{"exec-opts":["native.cgroupdriver=x"]}`:    "native.cgroupdriver option x not supported",
		`{"exec-opts":["native.cgroupdriver=none"]}`: "native.cgroupdriver option none is internally used and cannot be specified manually",
		`{"exec-opts":["native.cgroupdriver"]}`:      "unable to parse key/value option: native.cgroupdriver",
		`{"storage-driver":"btrfs"}`:                 `"btrfs" is not one of`,
		`{"exec-opts":["native.other=1"]}`:           `"native.other" is not an option`,
		`{"default-address-pools":[{"base":"10.0.0.0/16","size":8}]}`: "default-address-pools",
		`{"default-shm-size":"much"}`:                                 "",
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestStorageDriver(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "", `{"storage-driver":"overlay2"}`: "overlayfs", `{"storage-driver":"overlayfs"}`: "overlayfs", `{"storage-driver":"erofs"}`: "erofs",
	} {
		c, err := Parse([]byte(text))
		if err != nil || c.Driver() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestCgroupDriver(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "",
		`{"exec-opts":["native.cgroupdriver=systemd"]}`:    "systemd",
		`{"exec-opts":["Native.CgroupDriver = cgroupfs"]}`: "cgroupfs",
	} {
		c, err := Parse([]byte(text))
		if err != nil || c.CgroupDriver() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestMissingFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "engine.json")
	if _, err := Load(file, false); err != nil {
		t.Error(err)
	}
	if _, err := Load(file, true); err == nil {
		t.Error("a file that was named is missing and nobody says so")
	}
	os.WriteFile(file, []byte("{"), 0o600)
	if _, err := Load(file, false); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"bip":"10.9.0.1/24","default-ulimits":{"nofile":{"Hard":5}}}`))
	f.Add([]byte(`{"default-shm-size":"64m","hosts":["unix:///x"]}`))
	f.Add([]byte(`{"proxies":null,"dns":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := Parse(b); (c == nil) == (err == nil) && err == nil {
			t.Error("neither a configuration nor an error")
		}
	})
}
