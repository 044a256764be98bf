package supervisor

import (
	"os"
	"syscall"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Starter makes containers. It mounts the root, resolves the user in it, and returns when the command was executed.
// The streams are the process's own ends, unused (nil) with a terminal; the caller closes them. Whoever waits for the
// process it returns learns its exit status. Errors: *proto.Error where the reason is the caller's.
type Starter interface {
	Supports(s *proto.Start) bool
	Start(id string, s *proto.Start, stdio [3]*os.File) (c Container, p *os.Process, console *os.File, err error)
	// Restore takes up a container that an earlier supervisor started; saved is what Container.Saved gave. The pid is 0
	// where the first process has ended.
	Restore(id string, pid int, saved []byte) (Container, error)
}

// Container is a started container. Its methods may be called at the same time.
type Container interface {
	Exec(id string, e *proto.Exec, stdio [3]*os.File) (p *os.Process, console *os.File, err error)
	Control
	CgroupPath() string
	OOMKills() (uint64, error) // processes killed for memory until now
	Saved() ([]byte, error)    // what Restore needs
	Destroy() error            // after the first process has ended; ends what is left and removes its traces
}

// Control is what can be done to the processes of a container together.
type Control interface {
	SignalAll(sig syscall.Signal) error
	Pause() error
	Resume() error
	Update(r *specs.LinuxResources) error
	Pids() ([]int, error)
	Stats() ([]byte, error)
}
