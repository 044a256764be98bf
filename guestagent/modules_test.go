package guestagent

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestModulesLoadByStageAndWithoutTheirHypervisorNotAtAll(t *testing.T) {
	list, err := parseModules("boot vsock\nboot hv_vmbus\nboot hv_sock vsock hv_vmbus\nengine overlay\nrest hv_utils hv_vmbus\n")
	if err != nil {
		t.Fatal(err)
	}
	var loaded []string
	l := &loader{modules: list, absent: map[string]bool{}, insert: func(name string) error {
		if name == "hv_vmbus" {
			return syscall.ENODEV
		}
		loaded = append(loaded, name)
		return nil
	}}
	for _, stage := range []string{"boot", "engine", "rest"} {
		if err := l.stage(stage); err != nil {
			t.Errorf("stage %s: %v", stage, err)
		}
	}
	if want := []string{"vsock", "overlay"}; !slices.Equal(loaded, want) {
		t.Errorf("loaded %v, want %v", loaded, want)
	}
}

func TestAModuleThatFailsIsNamedAndTheOthersAreLoaded(t *testing.T) {
	list, err := parseModules("engine a\nengine b a\nengine c\n")
	if err != nil {
		t.Fatal(err)
	}
	var loaded []string
	l := &loader{modules: list, absent: map[string]bool{}, insert: func(name string) error {
		if name == "a" {
			return errors.New("bad format")
		}
		loaded = append(loaded, name)
		return nil
	}}
	if err := l.stage("engine"); err == nil || !strings.Contains(err.Error(), "a: bad format") {
		t.Errorf("error %v", err)
	}
	if !slices.Equal(loaded, []string{"c"}) {
		t.Errorf("loaded %v", loaded)
	}
}

func TestABadModuleListIsRefused(t *testing.T) {
	for _, text := range []string{"", "boot", "boot a\nboot a\n", "boot a b\nboot b\n"} {
		if _, err := parseModules(text); err == nil {
			t.Errorf("%q passes", text)
		}
	}
}

func TestMeminfo(t *testing.T) {
	m, err := parseMeminfo("MemTotal:         500000 kB\nMemFree:          100 kB\nMemAvailable:     200 kB\nBuffers: 7 kB\nCached:           300 kB\n")
	if err != nil || m.Total != 500000<<10 || m.Free != 100<<10 || m.Available != 200<<10 || m.Cached != 300<<10 {
		t.Errorf("%+v %v", m, err)
	}
	for _, text := range []string{"", "MemTotal: many kB\n"} {
		if _, err := parseMeminfo(text); err == nil {
			t.Errorf("%q passes", text)
		}
	}
}
