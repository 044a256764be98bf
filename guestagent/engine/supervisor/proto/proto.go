// Package proto is the protocol between the engine and berth-supervisor: flat, versioned messages over a unix stream
// socket, and the client and framing both ends share. It is all that the engine imports of the supervisor, and it
// imports nothing of the engine.
//
// A connection carries one call at a time: a Request, answered by one Response. An Events call turns the connection
// into a one-way stream of Event until either end closes. Descriptors travel beside the frame they belong to.
//
//	op       request                      fds in             answer
//	hello    Version                      -                  Version, Pid, Containers
//	start    Start                        attach clients     State (running), or Error with Errno
//	exec     Exec                         attach client?     State of the process
//	attach   ID, ExecID, Attach           client socket      -
//	signal   ID, ExecID, Signal, All      -                  -
//	resize   ID, ExecID, Height, Width    -                  -
//	close    ID, ExecID                   -                  - (stdin reaches end of file)
//	pause    ID                           -                  -
//	resume   ID                           -                  -
//	update   ID, Resources                -                  -
//	pids     ID                           -                  Pids
//	stats    ID                           -                  Stats (cgroup figures, JSON of libcontainer)
//	state    ID, ExecID                   -                  State of the process
//	release  ID, ExecID                   -                  - (forgets an exited process; closes its clients)
//	logs     ID                           -                  - (flushes the log so that a reader sees all that was said)
//	dup      -                            -                  Containers, and the descriptors that outlive us
//	events   -                            -                  stream of Event; the first is always a Snapshot
//
// A container's streams exist from the first attach or start until release, so a client can attach before the start
// and miss nothing. An exit is announced after the last byte of output has been logged and handed to every client.
package proto

import (
	"time"

	"github.com/berthhq/berth/guestagent/engine/detached"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Version of this protocol. An engine and a supervisor of different versions say which to update.
const Version = 1

// Op names a call.
type Op string

// The calls.
const (
	OpHello   Op = "hello"
	OpStart   Op = "start"
	OpExec    Op = "exec"
	OpAttach  Op = "attach"
	OpSignal  Op = "signal"
	OpResize  Op = "resize"
	OpClose   Op = "close"
	OpPause   Op = "pause"
	OpResume  Op = "resume"
	OpUpdate  Op = "update"
	OpPids    Op = "pids"
	OpStats   Op = "stats"
	OpState   Op = "state"
	OpRelease Op = "release"
	OpLogs    Op = "logs"
	OpDup     Op = "dup"
	OpEvents  Op = "events"
)

// Request is one call. Only the fields that the table names for its Op are set.
type Request struct {
	Op        Op
	Version   int                   `json:",omitempty"`
	ID        string                `json:",omitempty"` // container
	ExecID    string                `json:",omitempty"` // process within it; empty is the container's init
	Start     *Start                `json:",omitempty"`
	Exec      *Exec                 `json:",omitempty"`
	Attach    *Attach               `json:",omitempty"`
	Signal    int                   `json:",omitempty"`
	All       bool                  `json:",omitempty"` // signal every process of the container
	Height    uint16                `json:",omitempty"` // rows
	Width     uint16                `json:",omitempty"` // columns
	Resources *specs.LinuxResources `json:",omitempty"`
}

// Response answers a Request.
type Response struct {
	Error      *Error  `json:",omitempty"`
	Version    int     `json:",omitempty"`
	Pid        int     `json:",omitempty"`
	State      *State  `json:",omitempty"`
	Containers []State `json:",omitempty"`
	Pids       []int   `json:",omitempty"`
	Stats      []byte  `json:",omitempty"`
}

// Error codes: what kind of failure it was.
const (
	CodeInternal    = "internal"
	CodeNotFound    = "not-found"   // no such container or process
	CodeConflict    = "conflict"    // already started, already exited
	CodeExec        = "exec"        // the command could not be executed; Errno says why (ENOENT, EACCES, ENOEXEC …)
	CodeInvalid     = "invalid"     // the spec asks for what cannot be
	CodeUnsupported = "unsupported" // the kernel lacks it
)

// Error is a failure of a call.
type Error struct {
	Code    string
	Errno   int `json:",omitempty"`
	Message string
}

// Error makes *Error an error.
func (e *Error) Error() string { return e.Message }

// Mount is one mount of a root filesystem, in containerd's terms (type, source, options).
type Mount = detached.Mount

// Start tells the supervisor to start a container. Spec is complete but for the root, which the supervisor mounts
// from Rootfs at RootfsPath, hands to the container's own mount namespace and unmounts again from the machine's.
type Start struct {
	Spec       *specs.Spec
	Rootfs     []Mount
	RootfsPath string
	Streams    Streams
	Log        Log
	User       string   `json:",omitempty"` // as typed; resolved in the container's own passwd and group
	GroupAdd   []string `json:",omitempty"` // additional groups, names or ids
	Systemd    bool     `json:",omitempty"` // the systemd cgroup driver
	Attach     []Attach `json:",omitempty"` // one per descriptor sent along
}

// Streams says how a process's standard streams are made.
type Streams struct {
	Terminal  bool   `json:",omitempty"`
	Stdin     bool   `json:",omitempty"` // keep stdin open; otherwise it is /dev/null
	StdinOnce bool   `json:",omitempty"` // close stdin when the first attached client goes away
	Height    uint16 `json:",omitempty"`
	Width     uint16 `json:",omitempty"`
}

// Log says where a container's output is kept.
type Log struct {
	Driver   string            // "json-file", "local" or "none"
	Path     string            // the current file; rotated ones get .1, .2 …
	MaxSize  int64             `json:",omitempty"` // bytes; 0 or less: no limit
	MaxFile  int               `json:",omitempty"` // files kept, the current one included; at least 1
	Compress bool              `json:",omitempty"` // gzip rotated files
	Attrs    map[string]string `json:",omitempty"` // written into each json-file entry, docker's labels/env/tag
}

// Exec tells the supervisor to start another process in a running container. ID and ExecID are in the Request.
type Exec struct {
	Process  *specs.Process
	User     string   `json:",omitempty"` // as typed; resolved in the container's own passwd and group
	GroupAdd []string `json:",omitempty"`
	Streams  Streams
	Attach   *Attach `json:",omitempty"` // of the descriptor sent along, if any
}

// Attach describes one client of a process's streams. Its descriptor is a connected stream socket (or a pipe for
// output only). The supervisor owns it from then on and closes it when the process has exited or the client detached.
type Attach struct {
	Stdin, Stdout, Stderr bool   `json:",omitempty"`
	Mux                   bool   `json:",omitempty"` // frame stdout and stderr as docker's stdcopy does
	DetachKeys            []byte `json:",omitempty"` // the key sequence that detaches; only with Stdin on a terminal
	Preface               []byte `json:",omitempty"` // input that the engine had read before it handed the socket on
}

// Status of a container or an exec'd process, as the supervisor sees it.
type Status string

// The states; the only ways are running <-> paused and running or paused -> exited.
const (
	StatusRunning Status = "running"
	StatusPaused  Status = "paused"
	StatusExited  Status = "exited"
)

// State is what the supervisor knows of one container and the processes exec'd in it.
type State struct {
	ID         string
	ExecID     string `json:",omitempty"`
	Pid        int    // in the supervisor's pid namespace
	Status     Status
	ExitCode   int       `json:",omitempty"` // 0-255, 128+n for signal n
	OOMKilled  bool      `json:",omitempty"`
	StartedAt  time.Time `json:",omitzero"`
	ExitedAt   time.Time `json:",omitzero"`
	Terminal   bool      `json:",omitempty"`
	CgroupPath string    `json:",omitempty"`
	Execs      []State   `json:",omitempty"` // of a container
}

// EventType says what happened.
type EventType string

// The events.
const (
	EventSnapshot EventType = "snapshot" // the first of a stream: everything known now
	EventExit     EventType = "exit"     // State is that of the process that ended
	EventOOM      EventType = "oom"      // a process of the container was killed for memory
	EventDetach   EventType = "detach"   // a client used its detach keys
	EventDup      EventType = "dup"      // descriptors to keep for the supervisor's successor travel with it
)

// Event is one message of an events stream.
type Event struct {
	Type       EventType
	State      *State  `json:",omitempty"`
	Containers []State `json:",omitempty"`
}
