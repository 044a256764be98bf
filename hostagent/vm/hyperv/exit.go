package hyperv

import (
	"encoding/json"

	"github.com/berthhq/berth/hostagent/vm"
)

// exitStatus is the document that comes with a system's end.
type exitStatus struct {
	Status      int32
	ExitType    string // absent before Windows 10 1903
	Attribution []struct {
		GuestCrash *struct{}
		SystemExit *struct{ Detail, Initiator string }
	}
}

// exitOf says why a machine ended: killed is whether this process took its power, panicked the guest's last word.
func exitOf(data string, killed bool, panicked string) vm.Exit {
	var s exitStatus
	_ = json.Unmarshal([]byte(data), &s)
	crashed := panicked != ""
	for _, a := range s.Attribution {
		crashed = crashed || a.GuestCrash != nil
	}
	switch {
	case killed:
		return vm.Exit{Reason: vm.Killed}
	case crashed:
		return vm.Exit{Reason: vm.Crashed, Detail: panicked}
	case s.ExitType == "GracefulExit", s.ExitType == "" && s.Status == 0:
		return vm.Exit{Reason: vm.PoweredOff}
	case s.ExitType == "ForcedExit":
		return vm.Exit{Reason: vm.Killed, Detail: "another program ended it"}
	}
	return vm.Exit{Reason: vm.Failed, Detail: (&Error{Op: s.ExitType, Code: HRESULT(s.Status)}).Error()}
}
