//go:build linux

// Package vhostvsock is berth's own virtio-vsock device (virtio 1.2, section 5.10) as a vhost-user back end: the
// hypervisor hands it the guest's memory and the two rings, and it gives the guest's ports out as streams. It belongs to
// one machine and lives in the process that holds it. The guest is taken to be hostile: whatever it writes into its
// rings or packets harms its own streams at most. It imports nothing of the other parts of the host agent but transport.
//
// The host listens to nothing: a guest that asks for a connection is refused.
//
//	dialing goroutine, Write, Read, Close --+
//	rx kicks (the guest gave buffers) ------+--> pump: ready connections in turn -> receive ring of the guest
//	tx kicks -> transmitted: packets -> Conn.receive -> buffer of the connection -> Read, WriteTo
//
// Lock order: a ring's mutex, then Conn.mu, then the device's table or queue. Nothing waits with one of them held: what
// cannot be sent now stands in the connection, bounded by itself, and the connection in the queue once.
package vhostvsock
