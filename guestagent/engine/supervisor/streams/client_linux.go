package streams

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
)

// queueLimit is how many bytes wait for a client before output waits for it, as docker's does; once the process has
// exited nothing waits, and a client that has lastLimit bytes to read is dropped.
const (
	queueLimit = 1 << 20
	lastLimit  = 8 << 20
)

// client is one attached connection. A goroutine writes its queue; another reads its input.
type client struct {
	conn io.ReadWriteCloser
	opts proto.Attach

	mu     sync.Mutex
	moved  sync.Cond // the queue has changed
	queue  [][]byte
	queued int
	ending bool // nothing will be added; close when the queue is empty
	gone   bool // closed
	hurry  bool // nobody waits for this client any more
}

func newClient(f *os.File, opts proto.Attach) (*client, error) {
	conn, err := stream(f)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, opts: opts}
	c.moved.L = &c.mu
	return c, nil
}

// stream makes a connection of a socket, and leaves a pipe as the file it is. It takes f over.
func stream(f *os.File) (io.ReadWriteCloser, error) {
	conn, err := net.FileConn(f)
	if err != nil {
		return f, nil //nolint:nilerr // not a socket
	}
	f.Close()
	return conn, nil
}

func (c *client) wants(s Stream) bool {
	return s == Stdout && c.opts.Stdout || s == Stderr && c.opts.Stderr
}

// push queues bytes that nobody will change; it waits for room unless the client is gone or in a hurry.
func (c *client) push(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.queued >= queueLimit && !c.gone && !c.hurry && !c.ending {
		c.moved.Wait()
	}
	if c.gone || c.ending {
		return
	}
	if c.hurry && c.queued >= lastLimit {
		c.drop()
		return
	}
	c.queue = append(c.queue, p)
	c.queued += len(p)
	c.moved.Broadcast()
}

// rush makes pushes to this client wait no longer.
func (c *client) rush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hurry = true
	c.moved.Broadcast()
}

// end closes the connection once all that is queued was written.
func (c *client) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = true
	c.moved.Broadcast()
}

// abort closes the connection now.
func (c *client) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop()
}

func (c *client) drop() {
	if !c.gone {
		c.gone = true
		c.queue = nil
		shut(c.conn)
	}
	c.moved.Broadcast()
}

// shut closes a connection for its peer too where another process holds a duplicate.
func shut(conn io.Closer) {
	if s, ok := conn.(interface {
		CloseRead() error
		CloseWrite() error
	}); ok {
		s.CloseWrite()
		s.CloseRead()
	}
	conn.Close()
}

// write empties the queue until the client ends or goes away.
func (c *client) write() {
	for {
		c.mu.Lock()
		for len(c.queue) == 0 && !c.ending && !c.gone {
			c.moved.Wait()
		}
		if c.gone || len(c.queue) == 0 {
			c.drop()
			c.mu.Unlock()
			return
		}
		batch := net.Buffers(c.queue)
		n := c.queued
		c.queue = nil
		c.mu.Unlock()
		_, err := batch.WriteTo(c.conn)
		c.mu.Lock()
		c.queued -= n
		if err != nil {
			c.drop()
		}
		c.moved.Broadcast()
		c.mu.Unlock()
	}
}

// errDetached says that a client typed its detach keys.
var errDetached = errors.New("detached")

// read passes the client's input on to w until its end (nil), the detach keys (errDetached) or an error.
func (c *client) read(w io.Writer) error {
	d := detacher{keys: c.opts.DetachKeys}
	pass := func(p []byte) error {
		out, detached := d.feed(p)
		if len(out) > 0 {
			if _, err := w.Write(out); err != nil {
				return err
			}
		}
		if detached {
			return errDetached
		}
		return nil
	}
	if err := pass(c.opts.Preface); err != nil {
		return err
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := c.conn.Read(buf)
		if n > 0 {
			if err := pass(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
