package machineapi

import "github.com/berthhq/berth/internal/errdefs"

// State is how a machine is, as a person is told.
//
//	absent --> stopped --> starting --> running --> stopping --> stopped
//	              ^                        |
//	              +------------------------+   it ended by itself: Machine.Reason says why, the next command starts it
//
//	broken: it cannot be started as things are; Machine.Reason says why, doctor what helps
type State string

// The states.
const (
	Absent   State = "absent"   // never started here
	Stopped  State = "stopped"  //
	Starting State = "starting" //
	Running  State = "running"  // the guest answers
	Stopping State = "stopping" //
	Broken   State = "broken"   //
)

// ShellProtocol is what a connection is upgraded to by POST /machine/shell.
const ShellProtocol = "berth-shell"

// Settings are what a person chooses. A zero means: as it is.
type Settings struct {
	Driver string `json:"driver,omitempty"`
	CPUs   int    `json:"cpus,omitempty"`
	Memory int64  `json:"memory,omitempty"` // bytes, a multiple of 2 MiB, at least 128 MiB
	Disk   int64  `json:"disk,omitempty"`   // bytes; a disk grows and never shrinks
	Shares string `json:"shares,omitempty"` // directories of the host that containers may have, a path a line; as it is where it is empty
}

// Machine is one virtual machine.
type Machine struct {
	Name        string   `json:"name"`
	State       State    `json:"state"`
	Reason      string   `json:"reason,omitempty"` // why it is broken, or how it last ended
	Settings    Settings `json:"settings"`
	Accelerator string   `json:"accelerator,omitempty"` // while it runs: kvm, hypervisor, emulation
	Image       string   `json:"image,omitempty"`       // digest of the image it runs, or would
	Kernel      string   `json:"kernel,omitempty"`      // while it runs
	Agent       string   `json:"agent,omitempty"`       // the guest agent's version, while it runs
	Engine      bool     `json:"engine"`                // the engine in it answers
	UptimeMS    int64    `json:"uptimeMs,omitempty"`
	PID         int      `json:"pid,omitempty"`      // of the hypervisor, where it is a process
	AgentPID    int      `json:"agentPid,omitempty"` // of the host agent, where one serves
	DiskUsed    int64    `json:"diskUsed"`           // bytes that the disk's file takes up
	Socket      string   `json:"socket"`             // the Docker API
	Dir         string   `json:"dir"`
}

// Stop says how.
type Stop struct {
	Force bool `json:"force,omitempty"` // takes the power away
}

// Step is one thing that a verb did, or how it ended.
type Step struct {
	Text    string   `json:"text,omitempty"`
	Machine *Machine `json:"machine,omitempty"` // the last step of a verb that worked
	Error   *Failure `json:"error,omitempty"`   // the last step of one that did not
}

// Failure is an error with its hint.
type Failure struct {
	Kind    errdefs.Kind `json:"kind"`
	Message string       `json:"message"`
	Hint    string       `json:"hint,omitempty"`
}

// Fail makes a Failure of an error.
func Fail(err error) *Failure {
	return &Failure{Kind: errdefs.KindOf(err), Message: err.Error(), Hint: errdefs.HintOf(err)}
}

// Err is the error again.
func (f *Failure) Err() error {
	return &errdefs.Error{Kind: f.Kind, Msg: f.Message, Hint: f.Hint}
}

// Finding is one thing that doctor looked at.
type Finding struct {
	OK   bool   `json:"ok"`
	Text string `json:"text"`           // a sentence: what is so
	Help string `json:"help,omitempty"` // a sentence: what to do
}
