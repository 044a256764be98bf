package vm_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/vmtest"
	"github.com/berthhq/berth/hostagent/vm/vmtest/guest"
)

func machine(t *testing.T) (vm.Config, vm.Files) {
	kernel, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kernel.Close() })
	return vm.Config{Name: "test", Dir: t.TempDir(), Arch: "amd64", CPUs: 1, Memory: 256 << 20, Accelerator: vm.KVM}, vm.Files{Kernel: kernel}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	for want, change := range map[string]func(*vm.Config, *vm.Files){
		"no name":              func(c *vm.Config, _ *vm.Files) { c.Name = "" },
		"no directory":         func(c *vm.Config, _ *vm.Files) { c.Dir = "" },
		`architecture "riscv"`: func(c *vm.Config, _ *vm.Files) { c.Arch = "riscv" },
		"0 cpus":               func(c *vm.Config, _ *vm.Files) { c.CPUs = 0 },
		"bytes of memory":      func(c *vm.Config, _ *vm.Files) { c.Memory = 129 << 20 },
		"no accelerator":       func(c *vm.Config, _ *vm.Files) { c.Accelerator = "" },
		"no kernel":            func(_ *vm.Config, f *vm.Files) { f.Kernel = nil },
		"1 disks described":    func(c *vm.Config, _ *vm.Files) { c.Disks = make([]vm.Disk, 1) },
	} {
		c, files := machine(t)
		if err := c.Check(files); err != nil {
			t.Fatal(err)
		}
		change(&c, &files)
		if err := c.Check(files); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

func TestConfigIsData(t *testing.T) {
	c, _ := machine(t)
	c.Cmdline, c.Disks = []string{"quiet"}, []vm.Disk{{Name: "data", ReadOnly: true}}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back vm.Config
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(c, back) {
		t.Errorf("%v\n%+v\n%+v", err, c, back)
	}
}

func TestStatesFollowTheDiagram(t *testing.T) {
	states := []vm.State{vm.Starting, vm.Running, vm.Paused, vm.Stopping}
	allowed := map[[2]vm.State]bool{
		{vm.Starting, vm.Running}: true, {vm.Running, vm.Paused}: true, {vm.Paused, vm.Running}: true,
		{vm.Running, vm.Stopping}: true, {vm.Paused, vm.Stopping}: true,
	}
	ways := map[vm.State][]vm.State{
		vm.Running: {vm.Running}, vm.Paused: {vm.Running, vm.Paused}, vm.Stopping: {vm.Running, vm.Stopping},
	}
	for _, from := range states {
		for _, to := range states {
			l := vm.NewLifecycle()
			for _, step := range ways[from] {
				if err := l.Move(step); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.Move(to); (err == nil) != (allowed[[2]vm.State{from, to}] || from == to) {
				t.Errorf("%s to %s: %v", from, to, err)
			}
			l.End(vm.Exit{Reason: vm.Killed})
			l.End(vm.Exit{Reason: vm.Lost})
			<-l.Done()
			if err := l.Move(to); !errors.Is(err, vm.ErrNotRunning) || l.Exit().Reason != vm.Killed {
				t.Errorf("after the end: %v, %s", err, l.Exit())
			}
		}
	}
}

func TestProofFallsBack(t *testing.T) {
	for name, d := range map[string]*vmtest.Fake{
		"hangs": {Hangs: map[vm.Accelerator]bool{vm.KVM: true}},
		"fails": {Fails: map[vm.Accelerator]bool{vm.KVM: true}},
	} {
		c, files := machine(t)
		var givenUp []vm.Accelerator
		p := vm.Proof{
			Wait: 50 * time.Millisecond, Patience: 10 * time.Second, Answers: answers,
			GivenUp: func(a vm.Accelerator, _ error) { givenUp = append(givenUp, a) },
		}
		m, accel, err := p.Prove(t.Context(), d, c, files, []vm.Accelerator{vm.KVM, vm.Emulation})
		if err != nil || accel != vm.Emulation || len(givenUp) != 1 {
			t.Fatalf("%s: %s, %v, given up %v", name, accel, err, givenUp)
		}
		if st, err := m.Status(t.Context()); err != nil || st.Accelerator != vm.Emulation {
			t.Errorf("%s: %+v, %v", name, st, err)
		}
		m.Close()
	}
}

func TestProofSaysWhyNothingWorks(t *testing.T) {
	c, files := machine(t)
	d := &vmtest.Fake{Hangs: map[vm.Accelerator]bool{vm.KVM: true, vm.Emulation: true}}
	p := vm.Proof{Wait: 30 * time.Millisecond, Patience: 40 * time.Millisecond, Answers: answers}
	_, _, err := p.Prove(t.Context(), d, c, files, []vm.Accelerator{vm.KVM, vm.Emulation})
	if err == nil || !strings.Contains(err.Error(), "kvm: the guest did not answer within 30ms") || !strings.Contains(err.Error(), "emulation: ") {
		t.Errorf("%v", err)
	}
	m, err := d.Start(t.Context(), c, files) // nothing is left running
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, _, err := p.Prove(t.Context(), d, c, files, []vm.Accelerator{vm.KVM, vm.Emulation}); !errors.Is(err, vm.ErrRunning) {
		t.Errorf("a second machine: %v", err)
	}
}

func answers(ctx context.Context, m vm.Machine) error {
	c, err := m.Dial(ctx, guest.Boot)
	if err != nil {
		return err
	}
	return c.Close()
}
