// Package tap is the guest's network interface to the world: a TAP whose frames travel on one stream of the host's. The
// interface, its addresses and routes are there from boot on and outlive the stream: while there is none, frames are
// lost as on a cable that is out. Frames are carried as they are and never looked into.
package tap
