// Package transport is how bytes reach the guest: streams to a port of it, always opened by the host. The host listens
// on none, so that nothing in a container can reach it. It knows neither drivers nor what the streams carry.
package transport

import (
	"context"
	"fmt"
	"net"
)

// Conn is one stream to the guest. It is a net.Conn of which each half ends by itself.
//
// Read gives io.EOF only where the guest has ended its half; a stream that was cut short fails with an error that is
// syscall.ECONNRESET. After CloseWrite the guest reads to the end and may still send. Write fails with syscall.EPIPE
// where the guest takes no more. Close ends both halves at once; what was written before still arrives.
type Conn interface {
	net.Conn
	CloseWrite() error
}

// Dialer opens streams to a guest.
type Dialer interface {
	// Dial opens a stream to a port of the guest. While the guest boots it waits, until ctx ends; where nothing
	// listens on the port, the error is syscall.ECONNREFUSED.
	Dial(ctx context.Context, port uint32) (Conn, error)
}

// Addr is one end of a stream.
type Addr struct {
	CID  uint64 // 2 is the host
	Port uint32
}

// Addresses of both ends. Every machine of berth has a device of its own, so all guests may have the same address.
const (
	HostCID  = 2
	GuestCID = 3
)

// Network is "vsock".
func (Addr) Network() string { return "vsock" }

// String is the address as the guest's tools write it.
func (a Addr) String() string { return fmt.Sprintf("vsock:%d:%d", a.CID, a.Port) }
