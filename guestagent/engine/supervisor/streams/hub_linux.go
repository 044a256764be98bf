package streams

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
)

// linger is how long an exited process's output is waited for where another process still holds it open, as docker's.
const linger = 2 * time.Second

// Sink takes one stream's output, in order. Its errors are its own affair: output goes on.
type Sink interface {
	Add(p []byte, now time.Time) error
	Flush(now time.Time) error
}

// Hub joins the streams of one process with its clients. It exists before the process does, so that clients can come
// first. Safe for concurrent use.
//
//	waiting --Bind--> bound --Finish--> finished
type Hub struct {
	on Callbacks

	mu       sync.Mutex // taken before a client's lock
	clients  map[*client]struct{}
	proc     Process
	once     bool // close stdin when a client's input ends
	outputs  []*output
	bound    chan struct{} // closed by Bind and Finish
	done     sync.WaitGroup
	finished bool
}

// Callbacks tell what happens in a hub; each may be nil. They are called without locks held.
type Callbacks struct {
	Detached    func() // a client typed its detach keys
	StdinClosed func() // the process's stdin was closed before the process ended
}

// NewHub makes a hub.
func NewHub(on Callbacks) *Hub {
	return &Hub{on: on, clients: map[*client]struct{}{}, bound: make(chan struct{})}
}

// Attach adds a client and takes its descriptor over. A finished hub closes it at once. gone, if not nil, is called
// when the client's connection has been closed.
func (h *Hub) Attach(f *os.File, opts proto.Attach, gone func()) error {
	c, err := newClient(f, opts)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.clients[c] = struct{}{}
	if h.finished {
		c.end()
	}
	h.mu.Unlock()
	go func() {
		c.write()
		h.mu.Lock()
		delete(h.clients, c)
		h.mu.Unlock()
		if gone != nil {
			gone()
		}
	}()
	go func() {
		if opts.Stdin {
			h.input(c)
		}
		if c.awaitHangup() {
			c.abort()
		}
	}()
	return nil
}

// input carries one client's input to the process, beginning when there is one.
func (h *Hub) input(c *client) {
	c.await(h.bound)
	h.mu.Lock()
	stdin, once := h.proc.Stdin, h.once
	h.mu.Unlock()
	var w io.Writer = io.Discard
	if stdin != nil {
		w = stdin
	}
	err := c.read(w)
	if errors.Is(err, errDetached) {
		c.end()
		if h.on.Detached != nil {
			h.on.Detached()
		}
		return
	}
	if once {
		h.CloseStdin()
	}
}

// Bind gives the hub its process.
func (h *Hub) Bind(p Process, once bool, stdout, stderr Outlet) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.proc, h.once = p, once
	for _, o := range []*output{
		{file: p.Stdout, stream: Stdout, hub: h, to: stdout},
		{file: p.Stderr, stream: Stderr, hub: h, to: stderr},
	} {
		if o.file != nil {
			h.outputs = append(h.outputs, o)
			h.done.Go(o.run)
		}
	}
	close(h.bound)
}

// broadcast hands output to every client that wants it. The bytes are copied once for each form.
func (h *Hub) broadcast(s Stream, p []byte) {
	h.mu.Lock()
	var to []*client
	for c := range h.clients {
		if c.wants(s) {
			to = append(to, c)
		}
	}
	h.mu.Unlock()
	var plain, framed []byte
	for _, c := range to {
		if c.opts.Mux {
			if framed == nil {
				framed = frame(s, p)
			}
			c.push(framed)
			continue
		}
		if plain == nil {
			plain = append([]byte(nil), p...)
		}
		c.push(plain)
	}
}

// Drain returns when all output of the exited process was logged and handed to every client. Where another process
// holds the output open it waits linger and takes what is there.
func (h *Hub) Drain() {
	h.mu.Lock()
	for c := range h.clients {
		c.rush()
	}
	outputs := h.outputs
	h.mu.Unlock()
	done := make(chan struct{})
	go func() { h.done.Wait(); close(done) }()
	select {
	case <-done:
		return
	case <-time.After(linger):
	}
	for _, o := range outputs {
		o.file.SetReadDeadline(time.Unix(1, 0))
	}
	<-done
}

// Finish closes the process's streams and every client once it has read what is queued for it.
func (h *Hub) Finish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.finished {
		return
	}
	h.finished = true
	select {
	case <-h.bound:
	default:
		close(h.bound)
	}
	h.proc.Close()
	for c := range h.clients {
		c.end()
	}
}

// Drop closes every client now.
func (h *Hub) Drop() {
	h.Finish()
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		c.abort()
	}
}

// CloseStdin makes the process read the end of its input. A terminal has no such end.
func (h *Hub) CloseStdin() {
	h.mu.Lock()
	f := h.proc.Stdin
	does := f != nil && f != h.proc.Stdout && f.Close() == nil
	h.mu.Unlock()
	if does && h.on.StdinClosed != nil {
		h.on.StdinClosed()
	}
}

// Ends are the process's streams.
func (h *Hub) Ends() Process {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.proc
}

// ErrNoTerminal says that a process without a terminal cannot be resized.
var ErrNoTerminal = errors.New("the process has no terminal")

// Resize sets the terminal's size, in characters.
func (h *Hub) Resize(height, width uint16) error {
	h.mu.Lock()
	f := h.proc.Stdin
	tty := f != nil && f == h.proc.Stdout
	h.mu.Unlock()
	if !tty {
		return ErrNoTerminal
	}
	return resize(f, height, width)
}

// Settle returns when what the process has written until now is logged, or patience is over.
func (h *Hub) Settle(patience time.Duration) {
	h.mu.Lock()
	outputs := h.outputs
	h.mu.Unlock()
	for _, o := range outputs {
		o.settle(patience)
	}
}
