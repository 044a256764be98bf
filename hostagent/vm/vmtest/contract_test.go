package vmtest

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/vm"
)

func TestFakeKeepsTheContract(t *testing.T) {
	Run(t, Subject{Driver: &Fake{}, Config: config, Streams: 100, Bytes: 4 << 20, Wait: 20 * time.Second})
}

func config(t *testing.T) (vm.Config, vm.Files) {
	kernel, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kernel.Close() })
	return vm.Config{
		Name: "test", Dir: t.TempDir(), Arch: runtime.GOARCH, CPUs: 1, Memory: 256 << 20, Accelerator: vm.Emulation,
	}, vm.Files{Kernel: kernel}
}
