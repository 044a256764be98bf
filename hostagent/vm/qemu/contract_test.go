//go:build linux

package qemu_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/qemu"
	"github.com/berthhq/berth/hostagent/vm/vmtest"
	"github.com/berthhq/berth/hostagent/vm/vmtest/testvm"
)

// TestContract boots a real guest under emulation, which works everywhere.
func TestContract(t *testing.T) {
	d := &qemu.Driver{Log: func(line string) { t.Log(line) }}
	if _, err := d.Accelerators(runtime.GOARCH); err != nil {
		t.Skip(err)
	}
	image := testvm.Make(t, runtime.GOARCH)
	vmtest.Run(t, vmtest.Subject{
		Driver:  d,
		Config:  func(t *testing.T) (vm.Config, vm.Files) { return image.Config(t, runtime.GOARCH) },
		Streams: 1000, Bytes: 16 << 20, Wait: 90 * time.Second,
	})
}
