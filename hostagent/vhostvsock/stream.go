//go:build linux

package vhostvsock

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/berthhq/berth/hostagent/transport"
)

var _ transport.Conn = (*Conn)(nil)

// wait returns the first piece of what the guest has sent, or why there is none. mu is held, but not while it waits.
func (c *Conn) wait() ([]byte, error) {
	for {
		switch {
		case c.user:
			return nil, net.ErrClosed
		case c.readDeadline.passed():
			return nil, os.ErrDeadlineExceeded
		case c.in.n > 0:
			return c.in.front(), nil
		case c.failed != nil:
			return nil, c.failed
		case c.guestEnded || c.state == closed:
			return nil, io.EOF
		}
		c.changed.Wait()
	}
}

// Read is of net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	c.mu.Lock()
	front, err := c.wait()
	if err != nil {
		c.mu.Unlock()
		return 0, c.opError("read", err)
	}
	n := copy(p, front)
	tell := c.read(n)
	c.mu.Unlock()
	if tell {
		c.d.pump()
	}
	return n, nil
}

// WriteTo writes all that the guest sends to w, without a buffer in between. It is nil after the guest's end.
func (c *Conn) WriteTo(w io.Writer) (total int64, err error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	for {
		c.mu.Lock()
		front, err := c.wait()
		c.mu.Unlock()
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, c.opError("read", err)
		}
		n, err := w.Write(front)
		total += int64(n)
		c.mu.Lock()
		tell := !c.user && c.read(n)
		c.mu.Unlock()
		if tell {
			c.d.pump()
		}
		if err != nil {
			return total, err
		}
	}
}

// Write is of net.Conn: it returns when the last byte is in the guest's memory.
func (c *Conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	if err := c.writable(); err != nil || len(p) == 0 {
		c.mu.Unlock()
		return 0, c.opError("write", err)
	}
	c.out, c.taken = p, 0
	if c.credit() == 0 {
		c.askLater()
	}
	c.d.pending.ready(c)
	c.mu.Unlock()
	c.d.pump()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.taken < len(p) {
		if err := c.writable(); err != nil {
			c.out = nil
			return c.taken, c.opError("write", err)
		}
		c.changed.Wait()
	}
	return len(p), nil
}

// writable says why nothing can be written.
func (c *Conn) writable() error {
	switch {
	case c.user:
		return net.ErrClosed
	case c.failed != nil:
		return c.failed
	case c.ended || c.guestDeaf || c.state == closed:
		return syscall.EPIPE
	case c.writeDeadline.passed():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// CloseWrite ends this half: the guest reads to the end.
func (c *Conn) CloseWrite() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	if c.user {
		c.mu.Unlock()
		return c.opError("close", net.ErrClosed)
	}
	if !c.ended && c.state == open {
		c.ended = true
		c.say(sayShutSend)
	}
	c.mu.Unlock()
	c.d.pump()
	return nil
}

// Close ends both halves. The guest still gets what was written.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.user {
		c.mu.Unlock()
		return c.opError("close", net.ErrClosed)
	}
	c.user = true
	c.in.mem, c.in.n, c.in.head = nil, 0, 0
	c.readDeadline.stop()
	c.writeDeadline.stop()
	switch {
	case c.state == open && c.guestEnded && c.guestDeaf:
		c.abort(nil)
	case c.state == open:
		c.state, c.out = closing, nil
		c.say(sayShutBoth)
		c.closer = time.AfterFunc(closeTimeout, func() {
			c.mu.Lock()
			c.abort(nil)
			c.mu.Unlock()
			c.d.pump()
		})
	}
	c.changed.Broadcast()
	c.mu.Unlock()
	c.d.pump()
	return nil
}

// Reset ends the stream at once: the guest sees it cut.
func (c *Conn) Reset() {
	c.mu.Lock()
	c.user = true
	c.abort(nil)
	c.mu.Unlock()
	c.d.pump()
}

func (c *Conn) opError(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "vsock", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// LocalAddr is the host's end, RemoteAddr the guest's.
func (c *Conn) LocalAddr() net.Addr {
	return transport.Addr{CID: transport.HostCID, Port: c.key.host}
}
func (c *Conn) RemoteAddr() net.Addr { return transport.Addr{CID: c.d.cid, Port: c.key.guest} }

// deadline is a time after which waiting is over. The connection's mutex guards it.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

func (d *deadline) set(t time.Time, mu *sync.Mutex, changed *sync.Cond) {
	d.stop()
	d.at, d.timer = t, nil
	if !t.IsZero() {
		d.timer = time.AfterFunc(time.Until(t), func() { mu.Lock(); changed.Broadcast(); mu.Unlock() })
	}
	changed.Broadcast()
}

// SetDeadline is of net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return c.setDeadlines(t, &c.readDeadline, &c.writeDeadline)
}

// SetReadDeadline is of net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, &c.readDeadline) }

// SetWriteDeadline is of net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, &c.writeDeadline) }

func (c *Conn) setDeadlines(t time.Time, which ...*deadline) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.user {
		return c.opError("set deadline", net.ErrClosed)
	}
	for _, d := range which {
		d.set(t, &c.mu, c.changed)
	}
	return nil
}
