package fileshare

import (
	"bufio"
	"errors"
	"io"
	"sync"

	"github.com/berthhq/berth/internal/fusewire"
)

// worker is one stream of requests.
type worker struct {
	s       *Server
	pending sync.WaitGroup

	mu  sync.Mutex // one answer at a time
	out io.Writer
}

// request is one message from the guest's kernel.
type request struct {
	fusewire.Header
	in     *fusewire.Reader
	out    []byte          // the answer; its header's room stands first
	cancel <-chan struct{} // closed by an interrupt
}

// Buffers are of two sizes: nearly every request is small.
const smallBuffer = 8 << 10

var (
	small = sync.Pool{New: func() any { b := make([]byte, smallBuffer); return &b }}
	large = sync.Pool{New: func() any { b := make([]byte, fusewire.MaxMessage); return &b }}
)

func buffer(n int) *[]byte {
	if n <= smallBuffer {
		return small.Get().(*[]byte)
	}
	return large.Get().(*[]byte)
}

func release(b *[]byte) {
	if cap(*b) == smallBuffer {
		small.Put(b)
	} else {
		large.Put(b)
	}
}

func (w *worker) run(stream io.Reader) error {
	in := bufio.NewReaderSize(stream, 64<<10)
	for {
		head, err := in.Peek(4)
		if err != nil {
			if errors.Is(err, io.EOF) && len(head) == 0 {
				return nil
			}
			return err
		}
		b := buffer(int(head[0]) | int(head[1])<<8 | int(head[2])<<16 | int(head[3])<<24)
		msg, err := fusewire.ReadMessage(in, *b, fusewire.RequestHeader)
		if err != nil {
			release(b)
			return err
		}
		h, body, err := fusewire.ParseHeader(msg)
		if err != nil {
			release(b)
			return err
		}
		w.begin(h, body, b)
	}
}

// begin carries a request out beside the others. A wait for a lock takes no slot, so that waiters block nobody.
func (w *worker) begin(h fusewire.Header, body []byte, b *[]byte) {
	slots := w.s.slots
	switch h.Op {
	case fusewire.OpForget, fusewire.OpBatchForget, fusewire.OpInterrupt:
		w.s.silent(h, fusewire.NewReader(body))
		release(b)
		return
	case fusewire.OpSetlkw:
		slots = w.s.waiting
		select {
		case slots <- struct{}{}:
		default:
			release(b)
			w.answer(fusewire.SealReply(make([]byte, fusewire.ReplyHeader), h.Unique, fusewire.ENOLCK))
			return
		}
	default:
		slots <- struct{}{}
	}
	cancel := w.s.flights.add(h)
	w.pending.Add(1)
	go func() {
		defer w.pending.Done()
		w.handle(h, body, cancel)
		w.s.flights.done(h)
		release(b)
		<-slots
	}()
}

func (w *worker) handle(h fusewire.Header, body []byte, cancel <-chan struct{}) {
	b := buffer(w.room(h, body))
	defer release(b)
	r := &request{Header: h, in: fusewire.NewReader(body), out: (*b)[:fusewire.ReplyHeader], cancel: cancel}
	err := w.s.dispatch(r)
	if w.s.journal.flush() {
		_ = w.s.rewrite()
	}
	errno := fusewire.OK
	if err != nil && !errors.As(err, &errno) {
		errno = fusewire.EIO
	}
	w.answer(fusewire.SealReply(r.out, h.Unique, errno))
}

// room is how large the answer may become.
func (w *worker) room(h fusewire.Header, body []byte) int {
	switch h.Op {
	case fusewire.OpRead, fusewire.OpReaddir, fusewire.OpReaddirplus:
		r := fusewire.NewReader(body)
		r.Skip(16)
		return fusewire.ReplyHeader + int(min(r.U32(), fusewire.MaxData))
	case fusewire.OpGetxattr, fusewire.OpListxattr:
		return fusewire.ReplyHeader + 64<<10
	}
	return smallBuffer
}

func (w *worker) answer(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = w.out.Write(b) // a stream that is broken ends its reader too
}

// flights are the requests under way that an interrupt can reach.
type flights struct {
	mu sync.Mutex
	by map[uint64]chan struct{}
}

// add records a request that can wait long; others are not worth interrupting.
func (f *flights) add(h fusewire.Header) <-chan struct{} {
	if h.Op != fusewire.OpSetlkw {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil {
		f.by = map[uint64]chan struct{}{}
	}
	c := make(chan struct{})
	f.by[h.Unique] = c
	return c
}

func (f *flights) done(h fusewire.Header) {
	if h.Op == fusewire.OpSetlkw {
		f.interrupt(h.Unique)
	}
}

func (f *flights) interrupt(unique uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.by[unique]; c != nil {
		close(c)
		delete(f.by, unique)
	}
}

func (f *flights) cancelAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for u, c := range f.by {
		close(c)
		delete(f.by, u)
	}
}
