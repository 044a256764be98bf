// Package paths names every directory, file and socket that berth creates. No other package spells one out.
// The state directory is an API: a name that changes here needs a migration in guestagent/engine/meta.
package paths

import (
	"fmt"
	"os"
	"path/filepath"
)

// Environment variables that move things.
const (
	EnvRoot       = "BERTH_ROOT"  // moves all state: Layout.Root
	EnvHost       = "BERTH_HOST"  // which engine the command line talks to; wins over DOCKER_HOST
	EnvDockerHost = "DOCKER_HOST" // the same, as every docker client reads it
)

// DefaultRoot is where a machine-wide engine keeps its state, and DefaultRun what must not outlive a boot.
const (
	DefaultRoot = "/var/lib/berth"
	DefaultRun  = "/run/berth"
	// ConfigFile is the engine's configuration, with docker's key names.
	ConfigFile = "/etc/berth/engine.json"
	// DockerSocket is where clients look that know only docker.
	DockerSocket = "/var/run/docker.sock"
	// ShutdownMark is there once the virtual machine shuts down: an engine that is asked to end then stops its containers.
	ShutdownMark = "/run/berth-shutdown"
)

// Layout is the set of names below one state directory. With BERTH_ROOT set everything, run-time files included,
// lies below it, so that several engines live side by side.
type Layout struct {
	Root string // durable state, 0711: those who may use the socket walk through it; what is in it keeps them out
	Run  string // sockets, pids, what dies with the machine

	base string // where the lock lies of a root that is one of several; empty: Root
}

// Default is the layout of the environment: BERTH_ROOT, else the machine-wide directories.
func Default() Layout { return For(os.Getenv(EnvRoot)) }

// For is the layout below root, or the machine-wide one where root is empty.
func For(root string) Layout {
	if root == "" {
		return Layout{Root: DefaultRoot, Run: DefaultRun}
	}
	if abs, err := filepath.Abs(root); err == nil {
		root = abs
	}
	return Layout{Root: root, Run: filepath.Join(root, "run")}
}

// Remapped is the layout of an engine whose containers' root is another user of the machine: as in docker a directory
// below the root, so that files of one mapping are never used with another. Only one engine serves them all.
func (l Layout) Remapped(uid, gid int) Layout {
	l.base = l.Root
	l.Root = filepath.Join(l.Root, fmt.Sprintf("%d.%d", uid, gid))
	return l
}

// Base is the root that was asked for, of which Root is a part where the layout is Remapped.
func (l Layout) Base() string {
	if l.base != "" {
		return l.base
	}
	return l.Root
}

// Files and directories below Root.

// MetaDB is berth's own bbolt database.
func (l Layout) MetaDB() string { return filepath.Join(l.Root, "berth.db") }

// Images is what containerd's packages keep: content, snapshots, their databases.
func (l Layout) Images() string { return filepath.Join(l.Root, "images") }

// Volumes holds one directory a named volume.
func (l Layout) Volumes() string { return filepath.Join(l.Root, "volumes") }

// VolumeData is the directory that a container sees of the volume.
func (l Layout) VolumeData(name string) string { return filepath.Join(l.Volumes(), name, "_data") }

// Containers holds one directory a container.
func (l Layout) Containers() string { return filepath.Join(l.Root, "containers") }

// Container is the directory of one container: logs, hosts, resolv.conf, hostname.
func (l Layout) Container(id string) string { return filepath.Join(l.Containers(), id) }

// ContainerLog is the log file of one container (json-file or local driver).
func (l Layout) ContainerLog(id string) string { return filepath.Join(l.Container(id), id+"-json.log") }

// Hosts, ResolvConf and Hostname are the files bound over those of the image.
func (l Layout) Hosts(id string) string      { return filepath.Join(l.Container(id), "hosts") }
func (l Layout) ResolvConf(id string) string { return filepath.Join(l.Container(id), "resolv.conf") }
func (l Layout) Hostname(id string) string   { return filepath.Join(l.Container(id), "hostname") }

// CertsDir holds per-registry CAs and client certificates (hosts.toml and certs.d layout).
func (l Layout) CertsDir() string { return filepath.Join(l.Root, "certs.d") }

// Build is what BuildKit keeps beside the images: its records of the build cache.
func (l Layout) Build() string { return filepath.Join(l.Root, "build") }

// Tmp is for files under way; the engine empties it when it starts.
func (l Layout) Tmp() string { return filepath.Join(l.Root, "tmp") }

// EngineLock is held, with the engine's pid in it, as long as an engine serves this state directory.
func (l Layout) EngineLock() string { return filepath.Join(l.Base(), "engine.lock") }

// Files below Run.

// Socket is the API: a unix socket, mode 0660.
func (l Layout) Socket() string { return filepath.Join(l.Run, "engine.sock") }

// HostSocket is where the guest agent takes what the engine wants of the computer around its virtual machine. Natively
// nobody listens there.
func (l Layout) HostSocket() string { return filepath.Join(l.Run, "host.sock") }

// RunDB is the volatile bbolt database: records that need not outlive a boot.
func (l Layout) RunDB() string { return filepath.Join(l.Run, "berth-run.db") }

// SupervisorLog is where berth-supervisor writes its messages.
func (l Layout) SupervisorLog() string { return filepath.Join(l.Run, "supervisor.log") }

// EngineLog is where an engine that a command started writes its messages.
func (l Layout) EngineLog() string { return filepath.Join(l.Run, "engine.log") }

// SupervisorSocket is the supervisor's control socket, mode 0600.
func (l Layout) SupervisorSocket() string { return filepath.Join(l.Run, "supervisor.sock") }

// SupervisorState is libcontainer's state directory.
func (l Layout) SupervisorState() string { return filepath.Join(l.Run, "supervisor") }

// Rootfs is where a container's root is mounted for the moment of its start.
func (l Layout) Rootfs(id string) string { return filepath.Join(l.Run, "rootfs", id) }

// RootfsDir is the parent of all of them.
func (l Layout) RootfsDir() string { return filepath.Join(l.Run, "rootfs") }

// BuildRun is where the roots of a build's commands are mounted while they run.
func (l Layout) BuildRun() string { return filepath.Join(l.Run, "build") }

// Shm is a container's /dev/shm where it must be shared with others.
func (l Layout) Shm(id string) string { return filepath.Join(l.Run, "shm", id) }

// NetNS is the directory of bind-mounted network namespaces.
func (l Layout) NetNS() string { return filepath.Join(l.Run, "netns") }

// NetdSocket is the control socket of berth-netd, mode 0600.
func (l Layout) NetdSocket() string { return filepath.Join(l.Run, "netd.sock") }

// NetdState is where berth-netd keeps what it serves, so that its successor goes on.
func (l Layout) NetdState() string { return filepath.Join(l.Run, "netd.json") }
