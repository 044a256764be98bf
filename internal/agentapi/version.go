package agentapi

import "fmt"

// The protocol's versions that this build speaks. A version changes only when an older end would misunderstand; what can
// be left out is a Feature.
const (
	MinVersion = 1
	MaxVersion = 1
)

// Feature is something an end may lack without the other being lost.
type Feature string

// The features. A guest names those it serves, a host those it offers.
const (
	FeatureMounts  Feature = "mounts"  // mount, unmount
	FeaturePorts   Feature = "ports"   // port.open, port.close and PortForward
	FeatureNetwork Feature = "network" // PortNetwork
	FeatureShell   Feature = "shell"   // PortShell
	FeatureReclaim Feature = "reclaim" // memory.reclaim
	FeatureTrim    Feature = "trim"    // disk.trim
)

// Hello is what the host says first.
type Hello struct {
	Min      int       `json:"min"`
	Max      int       `json:"max"`
	Agent    string    `json:"agent"` // the host agent's version, for people
	Features []Feature `json:"features,omitempty"`
	Time     Time      `json:"time"`
}

// Welcome is the guest's answer.
type Welcome struct {
	Version  int       `json:"version"` // the one that both speak from here on
	Agent    string    `json:"agent"`   // the guest agent's version
	Boot     string    `json:"boot"`    // the kernel's boot id: another one means that the VM was started anew
	Kernel   string    `json:"kernel"`
	Features []Feature `json:"features,omitempty"`
	Status   Status    `json:"status"`
}

// Agree picks the version that a host and a guest speak, the newest that both know. Where there is none the error says
// which of them to update.
func Agree(h Hello) (int, error) { return agree(h, MinVersion, MaxVersion) }

func agree(h Hello, low, high int) (int, error) {
	switch {
	case h.Min < 1 || h.Max < h.Min:
		return 0, &Error{Code: CodeInvalid, Message: fmt.Sprintf("hello: versions %d to %d make no sense", h.Min, h.Max)}
	case h.Max < low:
		return 0, &Error{Code: CodeUpdateHost, Message: fmt.Sprintf("the virtual machine speaks protocol %d and later, berth-hostagent %s up to %d: update berth on the host", low, h.Agent, h.Max)}
	case h.Min > high:
		return 0, &Error{Code: CodeUpdateGuest, Message: fmt.Sprintf("the virtual machine speaks protocol up to %d, berth-hostagent %s wants %d: update the virtual machine's image", high, h.Agent, h.Min)}
	}
	return min(h.Max, high), nil
}
