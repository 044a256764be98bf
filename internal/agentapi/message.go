package agentapi

import (
	"errors"
	"fmt"
	"time"
)

// Op names a request or an event.
type Op string

// The ops; the package comment says who sends which.
const (
	OpHello     Op = "hello"
	OpPing      Op = "ping"
	OpTime      Op = "time.set"
	OpStatus    Op = "status"
	OpMemory    Op = "memory"
	OpReclaim   Op = "memory.reclaim"
	OpDisk      Op = "disk"
	OpDiskGrow  Op = "disk.grow"
	OpDiskTrim  Op = "disk.trim"
	OpMount     Op = "mount"
	OpUnmount   Op = "unmount"
	OpPower     Op = "power"
	OpPortOpen  Op = "port.open"
	OpPortClose Op = "port.close"
	OpPath      Op = "path"
	OpEvent     Op = "event"
)

// Heartbeat. A guest that is frozen or starved for less than HeartbeatLost keeps its link.
const (
	HeartbeatEvery = 5 * time.Second
	HeartbeatLost  = 30 * time.Second
)

// Ping asks for a sign of life; Pong gives it, with the guest's clock, so that the host sees it drift.
type Ping struct {
	Seq uint64 `json:"seq"`
}

type Pong struct {
	Seq      uint64 `json:"seq"`
	UnixNano int64  `json:"unixNano"`
}

// Time is the host's clock.
type Time struct {
	UnixNano int64 `json:"unixNano"`
}

// Child is one program that the guest agent keeps running.
type Child struct {
	Name     string `json:"name"` // "engine", "supervisor"
	PID      int    `json:"pid,omitempty"`
	Restarts int    `json:"restarts,omitempty"`
	LastExit string `json:"lastExit,omitempty"` // how it last ended, for people
}

// Status is the guest as a whole.
type Status struct {
	Engine   bool    `json:"engine"` // its socket answers
	Children []Child `json:"children,omitempty"`
	Disk     Disk    `json:"disk"`
	UptimeMS int64   `json:"uptimeMs"`
}

// Memory is the guest's, in bytes.
type Memory struct {
	Total     uint64 `json:"total"`
	Available uint64 `json:"available"`
	Free      uint64 `json:"free"`
	Cached    uint64 `json:"cached"`
}

// Reclaim asks the guest to give up caches until so many bytes are free; 0: what it can.
type Reclaim struct {
	Bytes uint64 `json:"bytes,omitempty"`
}

// Disk is the data disk.
type Disk struct {
	UUID      string `json:"uuid,omitempty"` // of its file system; empty: there is none
	Size      uint64 `json:"size"`           // of the block device
	Capacity  uint64 `json:"capacity"`       // of the file system
	Free      uint64 `json:"free"`
	Formatted bool   `json:"formatted,omitempty"` // at this boot
	Repaired  string `json:"repaired,omitempty"`  // what the check at this boot did, for people
	Fault     string `json:"fault,omitempty"`     // why there is no data disk: containers do not run
}

// Trimmed is how much disk.trim gave back.
type Trimmed struct {
	Bytes uint64 `json:"bytes"`
}

// Mount is one share of the host. Tag names it on PortFiles, Target is where the guest shows it.
type Mount struct {
	Tag      string `json:"tag"`
	Target   string `json:"target"`
	ReadOnly bool   `json:"readOnly,omitempty"`
}

// Unmount undoes a Mount.
type Unmount struct {
	Tag string `json:"tag"`
}

// Port is one published port. Address is the host's that was asked for, empty: all.
type Port struct {
	Proto     string `json:"proto"` // "tcp" or "udp"
	Address   string `json:"address,omitempty"`
	Port      uint16 `json:"port"`
	Container string `json:"container"`
}

// Power is how the VM is to end.
type Power struct {
	Action PowerAction `json:"action"`
	// GraceMS is how long containers may take to stop; 0: the engine's own choice.
	GraceMS int64 `json:"graceMs,omitempty"`
}

// PowerAction is what the machine does after it was shut down.
type PowerAction string

// The actions.
const (
	PowerOff    PowerAction = "off"
	PowerReboot PowerAction = "reboot"
)

// Event is something that the guest tells of by itself. Kind says which of the others is set.
type Event struct {
	Kind     EventKind `json:"kind"`
	UnixNano int64     `json:"unixNano"`
	Child    *Child    `json:"child,omitempty"`
	Disk     *Disk     `json:"disk,omitempty"`
	Message  string    `json:"message,omitempty"`
}

// EventKind names an event.
type EventKind string

// The events.
const (
	EventReady    EventKind = "ready"    // the engine's socket answers
	EventChild    EventKind = "child"    // a child started or ended
	EventDisk     EventKind = "disk"     // the data disk changed: grown, repaired, nearly full
	EventShutdown EventKind = "shutdown" // a step of the shutdown, in Message
)

// Open is the first frame of a stream that is neither control nor Docker API; Opened answers it.
type Open struct {
	Forward *Forward `json:"forward,omitempty"` // PortForward
	Shell   *Shell   `json:"shell,omitempty"`   // PortShell
	Tag     string   `json:"tag,omitempty"`     // PortFiles: the share; PortParked: the purpose, as "ssh-agent"
}

// Forward is the connection that a stream of PortForward stands for.
type Forward struct {
	Port   Port   `json:"port"`
	Client string `json:"client"` // address and port of the host's peer
}

type Opened struct {
	Error *Error `json:"error,omitempty"`
}

// Code classifies an Error.
type Code string

// The codes.
const (
	CodeInvalid     Code = "invalid"      // the message makes no sense
	CodeUnknown     Code = "unknown-op"   // the other end is older: do without
	CodeUpdateHost  Code = "update-host"  // the two do not understand each other: the host agent is too old
	CodeUpdateGuest Code = "update-guest" // the image is too old
	CodeTaken       Code = "taken"        // a port has another holder, whom Message names
	CodeNotFound    Code = "not-found"    // there is no such file
	CodeUnavailable Code = "unavailable"  // not now: the engine is down, the disk is missing
	CodeFailed      Code = "failed"       // anything else
)

// Error is a failure that crosses the link.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }

// CodeOf is the code of an error that came over a link, or CodeFailed.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeFailed
}

// Errorf makes an Error.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// SharesRoot is where the guest mounts shares: one directory a share, by its name.
const SharesRoot = "/run/berth/shares"

// PathQuery asks where a path of the host is in the guest. Make makes a directory there where nothing is, as -v does.
type PathQuery struct {
	Path string `json:"path"`
	Make bool   `json:"make,omitempty"`
}

// PathAnswer is a share, and a place in it with slashes; "" is the share itself.
type PathAnswer struct {
	Share string `json:"share"`
	Rel   string `json:"rel"`
}

// Publish is what the engine asks of the guest agent: a published port, and where in the guest its connections go. The
// two speak over a unix socket, a connection a request: one Frame with OpPortOpen or OpPortClose, and its answer.
type Publish struct {
	Port
	Target string `json:"target"` // address and port of the container
}
