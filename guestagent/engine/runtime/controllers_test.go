//go:build linux

package runtime

import (
	"os"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

func TestControllersOfVersion2(t *testing.T) {
	root := t.TempDir()
	if got := controllersIn(root); got != (Controllers{}) {
		t.Errorf("of an empty directory: %+v", got)
	}
	if err := os.WriteFile(root+"/cgroup.controllers", []byte("cpuset cpu pids\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := controllersIn(root), (Controllers{CPU: true, CPUSet: true, Pids: true}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestLimitsWithoutControllersAreDiscarded(t *testing.T) {
	five := int64(5)
	all := func() *container.Resources {
		return &container.Resources{Memory: 1 << 30, MemorySwap: 2 << 30, MemoryReservation: 1 << 20, PidsLimit: &five, CPUShares: 7, CPUQuota: 5000, CpusetCpus: "0", BlkioWeight: 100}
	}
	r := all()
	if w, err := (Controllers{Memory: true, CPU: true, CPUSet: true, Pids: true, IO: true}).Discard(r); err != nil || len(w) != 0 || r.Memory != 1<<30 || r.CPUShares != 7 {
		t.Errorf("with all controllers: %v, %v, %+v", w, err, r)
	}
	w, err := Controllers{}.Discard(r)
	if err != nil || len(w) != 7 || !strings.HasPrefix(w[0], "Your kernel does not support memory limit capabilities or the cgroup is not mounted.") {
		t.Errorf("without any: %q, %v", w, err)
	}
	if r.Memory != 0 || r.MemoryReservation != 0 || r.PidsLimit != nil || r.CPUShares != 0 || r.CPUQuota != 0 || r.CpusetCpus != "" || r.BlkioWeight != 0 {
		t.Errorf("it is left: %+v", r)
	}
	if _, err := (Controllers{}).Discard(&container.Resources{NanoCPUs: 1e9}); errdefs.KindOf(err) != errdefs.KindInvalid {
		t.Errorf("error %v", err)
	}
}
