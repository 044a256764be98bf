//go:build linux

package container

import (
	"time"

	"github.com/berthhq/berth/guestagent/engine/image"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
)

// Record is what is kept of a container.
type Record struct {
	ID        string
	Name      string // without a slash
	Created   time.Time
	Config    *container.Config // the image's merged in
	Host      *container.HostConfig
	Image     *image.Image
	Path      string // of the command
	Args      []string
	Mounts    []Mount
	Networks  map[string]*network.EndpointSettings // as asked for, by network
	Unplugged bool                                 `json:",omitempty"` // its network mode is none because it was taken off its last network
	Links     map[string]string                    // alias: container ID, of legacy links
	State     State
	// Restarts counts the restarts by the policy since a person started it.
	Restarts int
	// Stopped says that a person stopped it: the policy unless-stopped then leaves it so.
	Stopped bool
	// Doomed says that its removal has begun: it is finished when the engine comes back.
	Doomed bool
	// DoomedVolumes says that its anonymous volumes go with it.
	DoomedVolumes bool
	// Predecessor is what it was before an edit that is under way.
	Predecessor *Predecessor `json:",omitempty"`
}

// Mount is one mount as it was resolved when the container was created.
type Mount struct {
	Type        mount.Type
	Name        string // of a volume, or of an image as typed
	Driver      string // of a volume
	Source      string // on this machine; empty for a tmpfs
	Destination string
	Mode        string // as typed
	ReadOnly    bool
	Propagation mount.Propagation
	Options     []string // for a tmpfs
	Subpath     string   // within a volume or an image
	NoRecurse   bool
	ShallowRO   bool // read-only, but not what is mounted below it
	Anonymous   bool // a volume that rm -v takes along
	Inherited   bool // another container's anonymous volume, which rm -v takes along too, unless the other is still there
	NoCopy      bool
	OfTmpfs     bool         // asked for with --tmpfs, not --mount
	MakeSource  bool         // a bind whose source is made where it is missing, as -v does
	Image       *image.Image `json:",omitempty"` // for one of an image

	at string // of a bind in a virtual machine: where the host's Source is here, found at each start
}

// State is what is kept of a container's state.
type State struct {
	Status     container.ContainerState
	Pid        int
	ExitCode   int
	Error      string
	OOMKilled  bool
	StartedAt  time.Time
	FinishedAt time.Time
	Health     *container.Health
}

// running says that there is a process.
func (s *State) running() bool {
	return s.Status == container.StateRunning || s.Status == container.StatePaused
}
