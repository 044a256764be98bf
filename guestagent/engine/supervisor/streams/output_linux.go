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

// output is one stream of a process on its way to the log and the clients.
type output struct {
	file   *os.File
	stream Stream
	hub    *Hub
	sink   Sink

	mu  sync.Mutex // held from before a read until what was read is in the log and queued for every client
	buf []byte
}

// run reads until the end. It locks before it reads, so that whoever holds the lock and finds the pipe empty knows
// that all is delivered.
func (o *output) run() {
	o.buf = make([]byte, readSize)
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
	if o.sink != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.sink.Flush(time.Now())
	}
}

// once reads and delivers one time. empty says that there is nothing to read now, end that there never will be.
func (o *output) once(fd int) (empty, end bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := ignoringEINTR(func() (int, error) { return unix.Read(fd, o.buf) })
	switch {
	case n > 0:
		o.deliver(o.buf[:n])
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

func (o *output) deliver(p []byte) {
	if o.sink != nil {
		o.sink.Add(p, time.Now())
	}
	o.hub.broadcast(o.stream, p)
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
