//go:build linux

package runtime

import (
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/containerd/containerd/v2/core/mount"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Input is everything a specification is made from: the container's record with all names resolved to paths.
type Input struct {
	ID         string
	Name       string
	Hostname   string
	Domainname string
	Config     *container.Config
	Host       *container.HostConfig
	Image      dockerspec.DockerOCIImage
	Args       []string             // entrypoint and command, resolved; at least one
	Env        []string             // complete: image, configuration and links, KEY=value, later ones win
	Rootfs     []mount.Mount        // from the image service
	Mounts     []Mount              // volumes, binds, tmpfs; sorted by destination when they reach the specification
	Files      []Mount              // hosts, resolv.conf, hostname: bound over unless a mount takes their place
	Raw        []specs.Mount        // further mounts, taken as they are; they win over all others at the same place
	NetNS      string               // path of the network namespace; empty is the machine's own
	PidNS      string               // path of another container's namespace; empty as HostConfig says
	IpcNS      string               // the same; where set, ShmPath is that container's
	UtsNS      string               // the same
	ShmPath    string               // directory to bind at /dev/shm; empty makes a private tmpfs of HostConfig.ShmSize
	IDs        user.IdentityMapping // of its own user namespace, that NetNS belongs to; empty: none
	CgroupPath string               // below the controllers' roots, such as /berth/ID; with Systemd a scope, see Cgroups.Path
	Systemd    bool                 // systemd makes the cgroup
	Streams    proto.Streams        // what the standard streams are
	Log        proto.Log
}

// Mount is one mount into a container, resolved: a bind of an existing path, or a tmpfs.
type Mount struct {
	Type        string // "bind" or "tmpfs"
	Source      string // on this machine; empty for tmpfs
	Destination string // in the container, absolute and clean
	ReadOnly    bool
	Propagation string   // "rprivate" where empty
	Options     []string // further mount options (tmpfs: size=, mode=; bind: exec, nosuid …)
	NoRecurse   bool     // bind, not rbind

	ShallowReadOnly bool // read-only itself, mounts below it as they are
}

// State is a started process.
type State struct {
	Pid       int
	StartedAt time.Time
}

// ExecInput describes another process for a running container.
type ExecInput struct {
	Args       []string
	Env        []string // complete
	User       string   // as typed: name, uid, name:group …; empty is the container's
	WorkingDir string   // empty is the container's
	Terminal   bool
	Stdin      bool
	Privileged bool
	Height     uint16 // rows, 0 unknown
	Width      uint16 // columns, 0 unknown
}
