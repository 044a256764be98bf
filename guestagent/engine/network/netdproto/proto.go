//go:build linux

package netdproto

import (
	"fmt"
	"net/netip"
)

// Version of this protocol. An engine that meets another version stops the old netd; its successor takes its state over.
const Version = 1

// Op names a call.
type Op string

// The calls.
const (
	OpHello Op = "hello"
	OpPut   Op = "put"
	OpDrop  Op = "drop"
	OpKeep  Op = "keep"
	OpList  Op = "list"
	OpStop  Op = "stop"
)

// Request is one call.
type Request struct {
	Op      Op
	ID      string   `json:",omitempty"`
	IDs     []string `json:",omitempty"`
	Sandbox *Sandbox `json:",omitempty"`
}

// Response answers a Request.
type Response struct {
	Error     *Error    `json:",omitempty"`
	Version   int       `json:",omitempty"`
	Pid       int       `json:",omitempty"`
	Ports     []Port    `json:",omitempty"`
	Sandboxes []Sandbox `json:",omitempty"`
}

// Sandbox is all that netd serves for one container.
type Sandbox struct {
	ID string
	// NetNS is where names are answered, at 127.0.0.11:53; empty for a container without embedded DNS.
	NetNS     string     `json:",omitempty"`
	Endpoints []Endpoint `json:",omitempty"`
	// Upstreams answer what is no container's name; none: those of the host's resolv.conf as it stands.
	Upstreams []netip.Addr `json:",omitempty"`
	// Isolated containers are on internal networks only: nothing is asked outside for them.
	Isolated bool   `json:",omitempty"`
	Ports    []Port `json:",omitempty"`
}

// Endpoint is a container on one network, as names see it.
type Endpoint struct {
	Network string     // ID
	Domain  string     // the network's name: "db.backend" is "db" on network backend
	Names   []string   // the first is what its address is called
	IPv4    netip.Addr `json:",omitzero"`
	IPv6    netip.Addr `json:",omitzero"`
	// Links are names that this container alone has for others on the network: alias -> container ID.
	Links map[string]string `json:",omitempty"`
}

// Port is a port of the host that is held for a container, and where connections go that the kernel's NAT did not take.
type Port struct {
	Proto   string       // "tcp", "udp" or "sctp"
	HostIPs []netip.Addr // all are bound to one and the same port
	// HostPort to HostPortEnd is the range to take the first free one from; 0: any. In answers both are what was bound.
	HostPort    uint16
	HostPortEnd uint16 `json:",omitempty"`
	Targets     []netip.AddrPort
}

// Error codes.
const (
	CodeTaken       = "taken"       // another program has the port
	CodeUnsupported = "unsupported" // the kernel lacks the protocol
	CodeInvalid     = "invalid"
	CodeInternal    = "internal"
)

// Error is a failure of a call.
type Error struct {
	Code    string
	Message string
	Proto   string         `json:",omitempty"` // of CodeTaken
	Addr    netip.AddrPort `json:",omitzero"`  // of CodeTaken: the last one tried
}

// Error makes *Error an error.
func (e *Error) Error() string { return e.Message }

// Validate refuses what would make no sense to bind or serve.
func (s *Sandbox) Validate() error {
	if s == nil || s.ID == "" {
		return &Error{Code: CodeInvalid, Message: "a sandbox needs an ID"}
	}
	for _, p := range s.Ports {
		if err := p.validate(); err != nil {
			return &Error{Code: CodeInvalid, Message: fmt.Sprintf("sandbox %s: %v", s.ID, err)}
		}
	}
	return nil
}

func (p Port) validate() error {
	switch {
	case p.Proto != "tcp" && p.Proto != "udp" && p.Proto != "sctp":
		return fmt.Errorf("unknown protocol %q", p.Proto)
	case len(p.HostIPs) == 0 || len(p.Targets) == 0:
		return fmt.Errorf("port %d/%s has no address", p.HostPort, p.Proto)
	case p.HostPortEnd != 0 && p.HostPortEnd < p.HostPort:
		return fmt.Errorf("invalid port range %d-%d", p.HostPort, p.HostPortEnd)
	}
	for _, a := range p.HostIPs {
		if !a.IsValid() {
			return fmt.Errorf("port %d/%s has an invalid host address", p.HostPort, p.Proto)
		}
	}
	for _, t := range p.Targets {
		if !t.IsValid() || t.Port() == 0 {
			return fmt.Errorf("port %d/%s has an invalid target", p.HostPort, p.Proto)
		}
	}
	return nil
}

// Target is where what arrives at host goes: an address of the same family if there is one.
func (p Port) Target(host netip.Addr) netip.AddrPort {
	for _, t := range p.Targets {
		if t.Addr().Is4() == host.Unmap().Is4() {
			return t
		}
	}
	return p.Targets[0]
}
