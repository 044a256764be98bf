//go:build linux

package build

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
)

// Session serves a client's session until it ends. It owns the connection.
func (b *Builder) Session(ctx context.Context, conn net.Conn, headers http.Header) error {
	k, done, err := b.open(ctx)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	defer done()
	ctx, left := context.WithCancel(ctx)
	defer left()
	return k.sessions.HandleConn(ctx, &clientConn{conn, left}, headers)
}

// clientConn ends a session when its client has left. BuildKit alone asks every few seconds whether somebody is there,
// and logs an error when nobody is.
type clientConn struct {
	net.Conn
	left func()
}

// Read is the connection's own.
func (c *clientConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.left()
	}
	return n, err
}

// Control serves BuildKit's own protocol. The connection is its client's and BuildKit's from now on.
func (b *Builder) Control(ctx context.Context, conn net.Conn) error {
	k, done, err := b.open(ctx)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	return k.dialled.hand(ctx, &usedConn{conn, done})
}

// usedConn is a connection of a user of BuildKit.
type usedConn struct {
	net.Conn
	done func()
}

// Close ends the use, too.
func (c *usedConn) Close() error {
	defer c.done()
	return c.Conn.Close()
}

// Cancel ends the build to which its client gave an ID; one that is not there is no error.
func (b *Builder) Cancel(id string) { b.jobs.cancelOne(id) }

// dialled is a listener of connections that others have accepted.
type dialled struct {
	conns chan net.Conn
	once  sync.Once
	quit  chan struct{}
}

func newDialled() *dialled { return &dialled{conns: make(chan net.Conn), quit: make(chan struct{})} }

// hand gives a connection to who accepts.
func (d *dialled) hand(ctx context.Context, c net.Conn) error {
	select {
	case d.conns <- c:
		return nil
	case <-d.quit:
		return errors.Join(net.ErrClosed, c.Close())
	case <-ctx.Done():
		return errors.Join(ctx.Err(), c.Close())
	}
}

// Accept waits for the next connection.
func (d *dialled) Accept() (net.Conn, error) {
	select {
	case c := <-d.conns:
		return c, nil
	case <-d.quit:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (d *dialled) Close() error {
	d.once.Do(func() { close(d.quit) })
	return nil
}

// Addr is nowhere.
func (d *dialled) Addr() net.Addr { return &net.UnixAddr{Name: "build", Net: "unix"} }
