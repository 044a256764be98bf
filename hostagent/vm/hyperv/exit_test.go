package hyperv

import (
	"testing"

	"github.com/berthhq/berth/hostagent/vm"
)

func TestExitOf(t *testing.T) {
	for _, c := range []struct {
		data, panicked string
		killed         bool
		want           vm.Reason
	}{
		{data: `{"Status":0,"ExitType":"GracefulExit"}`, want: vm.PoweredOff},
		{data: `{"Status":0}`, want: vm.PoweredOff}, // Windows 10 1809
		{data: `{"Status":0,"ExitType":"GracefulExit"}`, panicked: "Kernel panic - not syncing", want: vm.Crashed},
		{data: `{"Status":0,"ExitType":"UnexpectedExit","Attribution":[{"GuestCrash":{"CrashParameters":[1]}}]}`, want: vm.Crashed},
		{data: `{"Status":0,"ExitType":"ForcedExit"}`, killed: true, want: vm.Killed},
		{data: `{"Status":-2143878874,"ExitType":"UnexpectedExit"}`, want: vm.Failed},
		{data: `nonsense`, killed: true, want: vm.Killed},
	} {
		if got := exitOf(c.data, c.killed, c.panicked); got.Reason != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
