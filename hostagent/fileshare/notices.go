package fileshare

import (
	"bufio"
	"io"
	"sync"
	"time"

	"github.com/berthhq/berth/internal/fusewire"
)

// notices is what the guest is still to be told, and who waits until it knows.
type notices struct {
	mu      sync.Mutex
	queue   []fusewire.Frame
	lost    bool // the queue does not say all: the guest must drop what it knows
	stream  bool // somebody takes from the queue
	last    uint64
	waiters map[uint64]chan struct{}
	wake    chan struct{}
}

const (
	maxNotices = 16 << 10
	// ackWithin bounds how long an open waits for the guest to forget; a guest that does not answer is the one who sees
	// old data.
	ackWithin = time.Second
)

func (q *notices) init() {
	q.waiters = map[uint64]chan struct{}{}
	q.wake = make(chan struct{}, 1)
}

// send queues a frame. A queue that is too long, or that nobody takes from, is given up for "drop everything".
func (q *notices) send(kind uint32, body []byte) uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last++
	if !q.stream || len(q.queue) >= maxNotices {
		q.queue, q.lost = nil, true
	} else {
		q.queue = append(q.queue, fusewire.Frame{Kind: kind, ID: q.last, Body: body})
	}
	q.poke()
	return q.last
}

func (q *notices) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// dropAll makes the guest drop what it knows.
func (q *notices) dropAll() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue, q.lost = nil, true
	q.poke()
}

func (q *notices) invalidate(n *node) {
	q.send(fusewire.FrameRaw, fusewire.AppendInvalInode(nil, n.id))
}

// invalidateAndWait returns when the guest's kernel has forgotten a file's attributes and data. It takes no lock of the
// guest's kernel that a request under way may hold.
func (q *notices) invalidateAndWait(n *node) {
	q.mu.Lock()
	if !q.stream {
		q.mu.Unlock()
		return
	}
	q.last++
	id, done := q.last, make(chan struct{})
	q.waiters[id] = done
	q.queue = append(q.queue, fusewire.Frame{Kind: fusewire.FrameRaw, ID: id, Body: fusewire.AppendInvalInode(nil, n.id)})
	q.poke()
	q.mu.Unlock()
	late := time.NewTimer(ackWithin)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		q.acked(id)
	}
}

func (q *notices) acked(id uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c := q.waiters[id]; c != nil {
		close(c)
		delete(q.waiters, id)
	}
}

func (q *notices) attach(on bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stream = on
	if on {
		return
	}
	q.lost = true // what happens until the next stream
	for id, c := range q.waiters {
		close(c)
		delete(q.waiters, id)
	}
}

func (q *notices) take() (frames []fusewire.Frame, lost bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	frames, lost = q.queue, q.lost
	q.queue, q.lost = nil, false
	return frames, lost
}

// ServeNotify tells the guest of changes until the stream ends. A server has one such stream at a time.
func (s *Server) ServeNotify(stream io.ReadWriter) error {
	s.notices.attach(true)
	defer s.notices.attach(false)
	ended := make(chan error, 1)
	go func() {
		for {
			a, err := fusewire.ReadAck(stream)
			if err != nil {
				ended <- err
				return
			}
			s.notices.acked(a.ID)
		}
	}()
	out := bufio.NewWriterSize(stream, 32<<10)
	for {
		select {
		case err := <-ended:
			return err
		case <-s.closing:
			return nil
		case <-s.notices.wake:
		}
		if err := s.tellNotices(out); err != nil {
			return err
		}
	}
}

func (s *Server) tellNotices(out *bufio.Writer) error {
	frames, lost := s.notices.take()
	if lost {
		if err := s.tellAll(out); err != nil {
			return err
		}
	}
	for _, f := range frames {
		if err := f.Write(out); err != nil {
			return err
		}
	}
	return out.Flush()
}

// tellAll makes the guest forget every name, and the attributes and data of every file.
func (s *Server) tellAll(out *bufio.Writer) error {
	for _, n := range s.nodes.all() {
		body := fusewire.AppendInvalInode(nil, n.id)
		if err := (fusewire.Frame{Kind: fusewire.FrameRaw, Body: body}).Write(out); err != nil {
			return err
		}
		parent, name := s.nodes.place(n)
		if parent == nil {
			continue
		}
		body = fusewire.AppendInvalEntry(nil, parent.id, name, s.expire())
		if err := (fusewire.Frame{Kind: fusewire.FrameRaw, Body: body}).Write(out); err != nil {
			return err
		}
	}
	return (fusewire.Frame{Kind: fusewire.FrameForget}).Write(out)
}

// expire makes a name one that must be asked for again, where the guest's kernel can tell that from one that is gone.
func (s *Server) expire() uint32 {
	if s.expireOnly.Load() {
		return fusewire.EntryExpireOnly
	}
	return 0
}

// loose is the directories that could not be watched: what was read of them is taken back after 50 ms.
type loose struct {
	mu    sync.Mutex
	nodes map[*node]bool // true: it will be taken back
}

func (l *loose) add(n *node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.nodes == nil {
		l.nodes = map[*node]bool{}
	}
	l.nodes[n] = false
}

func (l *loose) remove(n *node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.nodes, n)
}

// read has takeBack called for a directory soon.
func (l *loose) read(n *node, takeBack func(*node)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if due, in := l.nodes[n]; !in || due {
		return
	}
	l.nodes[n] = true
	time.AfterFunc(unwatchedFor/2, func() {
		l.mu.Lock()
		_, in := l.nodes[n]
		if in {
			l.nodes[n] = false
		}
		l.mu.Unlock()
		if in {
			takeBack(n)
		}
	})
}
