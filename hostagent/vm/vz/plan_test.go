package vz

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/berthhq/berth/hostagent/vm"
)

func asked() (vm.Config, Host, Paths) {
	return vm.Config{
			Name: "test", Dir: "/m", Arch: "arm64", CPUs: 4, Memory: 2 << 30, Accelerator: vm.Hypervisor,
			Cmdline: []string{"berth.test"}, Disks: []vm.Disk{{Name: "data"}, {Name: "more", ReadOnly: true}},
		}, Host{Arch: "arm64", MacOS: "15.1", MaxCPUs: 8, MinMemory: 4 << 20, MaxMemory: 16 << 30, Rosetta: true, Nested: true},
		Paths{Kernel: "/k", Initrd: "/i", Disks: []string{"/d0", "/d1"}}
}

func TestPlanIsWhatIsAskedFor(t *testing.T) {
	p, err := NewPlan(asked())
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(p)
	want := `{"cpus":4,"memory":2147483648,"kernel":"/k","initrd":"/i",` +
		`"cmdline":["console=hvc0","panic=0","quiet","cryptomgr.notests","berth.test","berth.rosetta=rosetta"],` +
		`"disks":[{"path":"/d0"},{"path":"/d1","readOnly":true}],"rosetta":"rosetta","nested":true}`
	if err != nil || string(b) != want {
		t.Errorf("%v\n%s\n%s", err, b, want)
	}
	var back Plan
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back, p) {
		t.Errorf("%v, %+v", err, back)
	}
}

func TestAMacHasNoMoreThanItHas(t *testing.T) {
	c, h, p := asked()
	c.CPUs, h.MaxCPUs, h.Rosetta, h.Nested = 16, 8, false, false
	plan, err := NewPlan(c, h, p)
	if err != nil || plan.CPUs != 8 || plan.Note == "" || plan.Rosetta != "" || plan.Nested || strings.Contains(plan.commandLine(), RosettaWord) {
		t.Errorf("%+v, %v", plan, err)
	}
}

func TestPlansThatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*vm.Config, *Host, *Paths){
		"runs guests of its own processor":   func(c *vm.Config, _ *Host, _ *Paths) { c.Arch = "amd64" },
		`no accelerator "kvm"`:               func(c *vm.Config, _ *Host, _ *Paths) { c.Accelerator = vm.KVM },
		"this is macOS 12.6":                 func(_ *vm.Config, h *Host, _ *Paths) { h.MacOS = "12.6" },
		"0 cpus":                             func(c *vm.Config, _ *Host, _ *Paths) { c.CPUs = 0 },
		"no whole MiB":                       func(c *vm.Config, _ *Host, _ *Paths) { c.Memory++ },
		"2048 MiB of memory: this Mac gives": func(_ *vm.Config, h *Host, _ *Paths) { h.MaxMemory = 1 << 30 },
		"20 disks":                           func(c *vm.Config, _ *Host, p *Paths) { c.Disks, p.Disks = make([]vm.Disk, 20), make([]string, 20) },
		`"k" is no absolute path`:            func(_ *vm.Config, _ *Host, p *Paths) { p.Kernel = "k" },
		`"/d\x00" is no absolute path`:       func(_ *vm.Config, _ *Host, p *Paths) { p.Disks[0] = "/d\x00" },
		"a line of 2047 is possible":         func(c *vm.Config, _ *Host, _ *Paths) { c.Cmdline = []string{strings.Repeat("x", 3000)} },
	} {
		c, h, p := asked()
		change(&c, &h, &p)
		if _, err := NewPlan(c, h, p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

func TestTablesWithMistakesAreRefused(t *testing.T) {
	if _, err := knownMethods(); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"class A\n  -set: v":          "has 1 arguments and 0 types",
		"class A\n  -state q q":       "has 0 arguments and 1 types",
		"  -state q":                  "is no method",
		"class A\n  -state q since=x": "invalid syntax",
	} {
		if _, err := parseTable(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
