package vm

import (
	"fmt"
	"sync"
)

// State is where a started machine is in its life.
//
//	            +--------- Resume ---------+
//	            v                          |
//	Starting -> Running -- Pause -----> Paused
//	   |          |                        |
//	   |          +-- PowerDown, guest --> Stopping
//	   |          |                        |
//	   +----------+------> Stopped <-------+      Kill, or the hypervisor ends, from anywhere
//
// The Agent's own states (absent, broken and so on) are about an instance, these are about one run of it.
type State string

// The states.
const (
	Starting State = "starting" // the hypervisor is being set up
	Running  State = "running"  // processors run; nothing is said of the guest
	Paused   State = "paused"   // processors stand still, memory stays
	Stopping State = "stopping" // the guest was asked to end, or is ending
	Stopped  State = "stopped"  // gone; Exit says why
)

// Reason says why a machine ended.
type Reason string

// The reasons.
const (
	PoweredOff Reason = "powered off" // by the guest itself
	Crashed    Reason = "crashed"     // the guest's kernel panicked or reset itself
	Killed     Reason = "killed"      // by Kill or by Close
	Failed     Reason = "failed"      // the hypervisor ended by itself
	Lost       Reason = "lost"        // what held the machine is gone, and the machine with it
)

// Exit is how a machine ended.
type Exit struct {
	Reason Reason `json:"reason"`
	Detail string `json:"detail,omitempty"` // one line for a person, such as the last words of the hypervisor
}

func (e Exit) String() string {
	if e.Detail == "" {
		return string(e.Reason)
	}
	return string(e.Reason) + ": " + e.Detail
}

// Lifecycle keeps a machine's state for its driver. Its methods alone change it.
type Lifecycle struct {
	mu    sync.Mutex
	state State
	exit  Exit
	done  chan struct{}
}

// NewLifecycle begins in Starting.
func NewLifecycle() *Lifecycle { return &Lifecycle{state: Starting, done: make(chan struct{})} }

// State is the state now.
func (l *Lifecycle) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Move changes the state along the diagram. To be there already is no error; of an ended machine it is ErrNotRunning.
func (l *Lifecycle) Move(to State) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.state == Stopped:
		return ErrNotRunning
	case l.state == to:
		return nil
	case to == Running && (l.state == Starting || l.state == Paused),
		to == Paused && l.state == Running,
		to == Stopping && (l.state == Running || l.state == Paused):
		l.state = to
		return nil
	}
	return fmt.Errorf("the virtual machine is %s and cannot become %s", l.state, to)
}

// End is the last change; only the first call counts.
func (l *Lifecycle) End(exit Exit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == Stopped {
		return
	}
	l.state, l.exit = Stopped, exit
	close(l.done)
}

// Done is closed by End.
func (l *Lifecycle) Done() <-chan struct{} { return l.done }

// Exit is what End was given.
func (l *Lifecycle) Exit() Exit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.exit
}
