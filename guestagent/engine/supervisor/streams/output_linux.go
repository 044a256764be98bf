package streams

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// readSize is how much of a process's output is read at once: what a pipe holds.
const readSize = 64 << 10

// Buffer is where a stream's output is read to; it stays there until the sink has it.
type Buffer interface {
	Space() []byte // for the next read
	Took(n int)    // so many bytes were read into it
	// Pending is what a predecessor has read and not logged, and how much of its end its clients may not have.
	Pending() (unlogged []byte, unseen int)
}

// Outlet is where a stream's output goes. Both may be nil: nothing is kept then.
type Outlet struct {
	Sink   Sink
	Buffer Buffer
}

// scratch is a buffer that dies with the supervisor.
type scratch []byte

func (s scratch) Space() []byte        { return s }
func (scratch) Took(int)               {}
func (scratch) Pending() ([]byte, int) { return nil, 0 }

// output is one stream of a process on its way to the log and the clients.
type output struct {
	file   *os.File
	stream Stream
	hub    *Hub
	to     Outlet

	mu sync.Mutex // held from before a read until what was read is in the log and queued for every client
}

// run reads until the end. It locks before it reads, so that whoever holds the lock and finds the pipe empty knows
// that all is delivered.
func (o *output) run() {
	if o.to.Buffer == nil {
		o.to.Buffer = make(scratch, readSize)
	}
	o.resume()
	raw, err := o.file.SyscallConn()
	if err != nil {
		return
	}
	for ended := false; !ended; {
		err := raw.Read(func(fd uintptr) bool {
			again, end := o.once(int(fd))
			ended = end
			return !again
		})
		if errors.Is(err, os.ErrDeadlineExceeded) {
			raw.Control(func(fd uintptr) { o.rest(int(fd)) })
		}
		if err != nil {
			break
		}
	}
	if o.to.Sink != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.to.Sink.Flush(time.Now())
	}
}

// once reads and delivers one time. empty says that there is nothing to read now, end that there never will be.
func (o *output) once(fd int) (empty, end bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	buf := o.to.Buffer.Space()
	n, err := ignoringEINTR(func() (int, error) { return unix.Read(fd, buf) })
	switch {
	case n > 0:
		o.to.Buffer.Took(n)
		o.deliver(buf[:n], n)
		return false, false
	case errors.Is(err, unix.EAGAIN):
		return true, false
	}
	return false, true // end of file; EIO is a terminal that nobody has open
}

// rest reads what is there without waiting for more.
func (o *output) rest(fd int) {
	for empty, end := false, false; !empty && !end; {
		empty, end = o.once(fd)
	}
}

// resume delivers what a predecessor has read.
func (o *output) resume() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if left, unseen := o.to.Buffer.Pending(); len(left) > 0 {
		o.deliver(left, unseen)
	}
}

// deliver logs p and hands the last fresh bytes of it to the clients.
func (o *output) deliver(p []byte, fresh int) {
	if o.to.Sink != nil {
		o.to.Sink.Add(p, time.Now())
	}
	if fresh > 0 {
		o.hub.broadcast(o.stream, p[len(p)-fresh:])
	}
}

// settle returns when all that the process has written until now was delivered, or patience is over.
func (o *output) settle(patience time.Duration) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if !o.mu.TryLock() {
			continue
		}
		n := waiting(o.file)
		o.mu.Unlock()
		if n == 0 {
			return
		}
	}
}

func ignoringEINTR(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}
