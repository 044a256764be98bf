package sharerelay

import (
	"bufio"
	"encoding/binary"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/berthhq/berth/internal/fusewire"
)

// worker is one stream to the server. What was sent on it and not answered is kept, so that it can be sent on another.
type worker struct {
	m      *mount
	stream Stream
	load   atomic.Int64

	mu      sync.Mutex // also one message at a time
	dead    bool
	pending map[uint64][]byte
}

// work carries answers from a stream to the kernel until the stream ends.
func (m *mount) work(s Stream) error {
	w := &worker{m: m, stream: s, pending: map[uint64][]byte{}}
	m.mu.Lock()
	m.streams = append(m.streams, w)
	m.changed.Broadcast()
	m.mu.Unlock()
	err := w.answers()
	m.mu.Lock()
	m.streams = slices.DeleteFunc(m.streams, func(o *worker) bool { return o == w })
	m.mu.Unlock()
	_ = s.Close()
	w.handOver()
	if m.ended() || err == io.EOF {
		return nil
	}
	return err
}

func (w *worker) answers() error {
	in := bufio.NewReaderSize(w.stream, 64<<10)
	buf := make([]byte, fusewire.MaxMessage)
	for {
		msg, err := fusewire.ReadMessage(in, buf, fusewire.ReplyHeader)
		if err != nil {
			return err
		}
		unique := binary.LittleEndian.Uint64(msg[8:])
		w.mu.Lock()
		_, mine := w.pending[unique]
		delete(w.pending, unique)
		w.mu.Unlock()
		if !mine {
			continue // neither an answer to us, nor a notification, which come on their own stream
		}
		w.load.Add(-1)
		if w.m.replay.answered(unique, msg) {
			continue
		}
		_ = w.m.write(msg) // an error is that nobody waits any more
	}
}

// kept is the part of a request that is kept: all but the data of a WRITE, which is not sent twice.
func kept(h fusewire.Header, msg []byte) []byte {
	if h.Op == fusewire.OpWrite {
		return msg[:fusewire.RequestHeader]
	}
	return msg
}

func (w *worker) send(h fusewire.Header, msg []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return io.ErrClosedPipe
	}
	if !h.Op.Silent() {
		w.pending[h.Unique] = append([]byte(nil), kept(h, msg)...)
		w.load.Add(1)
	}
	_, err := w.stream.Write(msg)
	if err != nil {
		w.dead = true
		delete(w.pending, h.Unique)
		_ = w.stream.Close()
	}
	return err
}

// handOver sends what was not answered on another stream. What changes something may have been done already, or not, so
// it fails.
func (w *worker) handOver() {
	w.mu.Lock()
	w.dead = true
	pending := w.pending
	w.pending = nil
	w.mu.Unlock()
	for unique, msg := range pending {
		h, _, err := fusewire.ParseHeader(msg)
		if err != nil || !repeatable(h.Op) {
			w.m.fail(unique, fusewire.EIO)
			continue
		}
		w.m.send(h, msg)
	}
}

func repeatable(op fusewire.Opcode) bool {
	switch op {
	case fusewire.OpLookup, fusewire.OpGetattr, fusewire.OpReadlink, fusewire.OpRead, fusewire.OpReaddir, fusewire.OpReaddirplus,
		fusewire.OpStatfs, fusewire.OpAccess, fusewire.OpGetxattr, fusewire.OpListxattr, fusewire.OpOpen, fusewire.OpInit,
		fusewire.OpFsync, fusewire.OpFsyncdir, fusewire.OpLseek, fusewire.OpGetlk, fusewire.OpFlush:
		return true
	}
	return false
}
