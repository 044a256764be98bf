//go:build linux

package qemu_test

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/qemu"
	"github.com/berthhq/berth/hostagent/vm/vmtest"
	"github.com/berthhq/berth/hostagent/vm/vmtest/testvm"
)

// TestContract boots a real guest under emulation, which works everywhere.
func TestContract(t *testing.T) { contract(t, runtime.GOARCH) }

// TestContractOfTheOtherArchitecture is the same where that one's QEMU is installed; twice the time.
func TestContractOfTheOtherArchitecture(t *testing.T) {
	if os.Getenv("BERTH_LONG") == "" {
		t.Skip("BERTH_LONG is not set")
	}
	contract(t, map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH])
}

func contract(t *testing.T, arch string) {
	d := &qemu.Driver{Log: func(line string) { t.Log(line) }}
	if _, err := d.Accelerators(arch); err != nil {
		t.Skip(err)
	}
	image := testvm.Make(t, arch)
	vmtest.Run(t, vmtest.Subject{
		Driver:  d,
		Config:  func(t *testing.T) (vm.Config, vm.Files) { return image.Config(t, arch) },
		Streams: 1000, Bytes: 16 << 20, Wait: 2 * time.Minute,
	})
}
