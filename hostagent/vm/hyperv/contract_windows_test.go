package hyperv_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/hyperv"
	"github.com/berthhq/berth/hostagent/vm/vmtest"
)

func config(t *testing.T) (vm.Config, vm.Files) {
	dir := t.TempDir()
	file := func(name string) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	return vm.Config{
		Name: "test", Dir: dir, Arch: "amd64", CPUs: 2, Memory: 256 << 20, Accelerator: vm.Hypervisor,
		Cmdline: []string{"quiet"}, Disks: []vm.Disk{{Name: "data"}},
	}, vm.Files{Kernel: file("kernel"), Initrd: file("initrd"), Disks: []*os.File{file("data.vhdx")}}
}

func TestContract(t *testing.T) {
	s := newService(t)
	vmtest.Run(t, vmtest.Subject{
		Driver: &hyperv.Driver{Dial: s.dial}, Config: config, Streams: 100, Bytes: 4 << 20, Wait: time.Minute,
	})
}

// TestRefusals has every step of a start fail, at once and later: nothing is left, and the error says what helps.
func TestRefusals(t *testing.T) {
	s := newService(t)
	d := &hyperv.Driver{Dial: s.dial}
	for _, c := range []struct {
		step string
		code uint32
		late bool
		want string
	}{
		{"HcsGrantVmAccess", 0x80070005, false, "administrators alone"},
		{"HcsCreateComputeSystem", 0x80370102, false, "not installed"},
		{"HcsCreateComputeSystem", 0x8037011B, true, "administrators alone"},
		{"HcsCreateComputeSystem", 0x80370199, true, "the fake service refuses"},
		{"HcsSetComputeSystemCallback", 0x80370114, false, "does not run"},
		{"HcsStartComputeSystem", 0x8007000E, false, "not enough memory"},
		{"HcsStartComputeSystem", 0xC0351000, true, "hypervisor does not run"},
		{"HcsGetComputeSystemProperties", 0x8037011E, true, "has gone away"},
	} {
		cfg, files := config(t)
		s.fails(c.step, c.code, c.late)
		m, err := d.Start(t.Context(), cfg, files)
		if err == nil {
			_ = m.Kill(t.Context())
		}
		e, ok := errors.AsType[*hyperv.Error](err)
		if !ok || uint32(e.Code) != c.code || !strings.Contains(err.Error(), c.want) || e.Hint() == "" && c.code != 0x80370199 {
			t.Errorf("%s 0x%08X: %v", c.step, c.code, err)
		}
		s.nothingIsLeft()
		again, err := d.Start(t.Context(), cfg, files)
		if err != nil {
			t.Fatalf("after %s 0x%08X: %v", c.step, c.code, err)
		}
		if err := again.Kill(t.Context()); err != nil {
			t.Error(err)
		}
	}
	s.fails("HcsGetServiceProperties", 0x80370114, false)
	if _, err := d.Accelerators("amd64"); err == nil || !strings.Contains(err.Error(), "does not run") {
		t.Errorf("accelerators without the service: %v", err)
	}
}

// TestThePanicIsWrittenDown: what a guest says last is in the file of its console and in the reason of its end.
func TestThePanicIsWrittenDown(t *testing.T) {
	s := newService(t)
	cfg, files := config(t)
	m, err := (&hyperv.Driver{Dial: s.dial}).Start(t.Context(), cfg, files)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := m.Dial(t.Context(), 11); err == nil { // guest.Crash
		defer c.Close()
	}
	select {
	case <-m.Done():
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
	if got := m.Exit(); got.Reason != vm.Crashed || !strings.Contains(got.Detail, "Kernel panic - not syncing") {
		t.Errorf("%s", got)
	}
	if b, err := os.ReadFile(filepath.Join(cfg.Dir, "console.log")); err != nil || !strings.Contains(string(b), "the guest was told to") {
		t.Errorf("%q, %v", b, err)
	}
}
