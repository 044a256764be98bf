//go:build linux

package vhostvsock

import (
	"context"
	"net"
	"syscall"

	"github.com/berthhq/berth/hostagent/transport"
)

// Dial opens a stream to a port of the guest. It waits for the guest's driver, and for its answer, until ctx ends.
func (d *Device) Dial(ctx context.Context, port uint32) (*Conn, error) {
	fail := func(err error) error {
		return &net.OpError{Op: "dial", Net: "vsock", Addr: transport.Addr{CID: d.cid, Port: port}, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return nil, fail(context.Cause(ctx))
	}
	c, err := d.add(port)
	if err != nil {
		return nil, fail(err)
	}
	c.mu.Lock()
	c.say(sayRequest)
	c.mu.Unlock()
	d.pump()
	defer context.AfterFunc(ctx, func() { c.mu.Lock(); c.changed.Broadcast(); c.mu.Unlock() })()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.state == connecting && ctx.Err() == nil {
		c.changed.Wait()
	}
	switch {
	case c.state == open:
		return c, nil
	case c.state == connecting:
		c.giveUp()
		go d.pump() // c.mu is held
		return nil, fail(context.Cause(ctx))
	case c.failed != nil:
		return nil, fail(c.failed)
	}
	return nil, fail(syscall.ECONNRESET)
}
