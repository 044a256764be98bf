//go:build linux

package vhostvsock

import (
	"sync"
	"syscall"
	"time"
)

// state is where a connection is. RST from either side closes it from anywhere.
//
//	connecting -- RESPONSE --> open -- Close: SHUTDOWN --> closing -- RST, or 8 s --> closed
//	    |                        +-- SHUTDOWN of both halves, all read: RST ----------> closed
//	    +-- RST: refused ---------------------------------------------------------------> closed
type state uint8

const (
	connecting state = iota
	open
	closing
	closed
)

// What a connection has to say to the guest; bits, since each is said once.
const (
	sayRequest = 1 << iota
	sayCredit
	sayAskCredit
	sayShutSend
	sayShutBoth
	sayReset
)

// Sizes of the window, which is what the guest may send before it is read.
const (
	leastWindow = 64 << 10
	mostWindow  = 1 << 20
)

// closeTimeout is how long a guest may take to agree to a close, as Linux has it.
const closeTimeout = 8 * time.Second

// askAfter is how long a writer waits for credit before the guest is asked. Linux tells by itself when three quarters of
// its buffer are read; asked at once, it would answer with the little that it has read until then, over and over.
const askAfter = 20 * time.Millisecond

// Conn is one stream. It is a transport.Conn.
type Conn struct {
	d   *Device
	key key

	reading, writing sync.Mutex // one Read, one Write at a time

	mu      sync.Mutex
	changed *sync.Cond
	state   state
	failed  error // why it was cut or refused; nil after an orderly end
	unsaid  uint8

	in       ringBuffer
	window   uint32 // what we promise
	consumed uint32 // all that was read, modulo 2^32
	told     uint32 // consumed as the guest knows it

	out       []byte      // what Write wants sent
	taken     int         // how much of it was
	sent      uint32      // all that was sent, modulo 2^32
	peerAlloc uint32      // what the guest promises
	peerTaken uint32      // what it has read of sent
	asker     *time.Timer // asks for credit once a wait for it is long

	guestEnded bool // sends no more
	guestDeaf  bool // receives no more
	ended      bool // CloseWrite was called
	user       bool // Close was called

	readDeadline, writeDeadline deadline
	closer                      *time.Timer

	queued bool // these two belong to pending
	next   *Conn
}

func newConn(d *Device, k key) *Conn {
	c := &Conn{d: d, key: k, window: leastWindow, in: ringBuffer{from: &d.pool}}
	c.changed = sync.NewCond(&c.mu)
	return c
}

// Methods below want mu to be held, but where they say otherwise.

// say notes what is to be sent; the caller pumps once mu is free.
func (c *Conn) say(what uint8) {
	c.unsaid |= what
	c.d.pending.ready(c)
}

// close_ is the last change of state.
func (c *Conn) end(failed error) {
	if c.state == closed {
		return
	}
	c.state, c.failed, c.out = closed, failed, nil
	c.unsaid &= sayReset
	for _, t := range []*time.Timer{c.closer, c.asker} {
		if t != nil {
			t.Stop()
		}
	}
	c.d.grown.Add(-int64(c.window - leastWindow))
	c.d.remove(c)
	c.changed.Broadcast()
}

// abort closes with a reset for the guest.
func (c *Conn) abort(failed error) {
	if c.state != closed {
		c.end(failed)
		c.say(sayReset)
	}
}

// giveUp ends a connection that was not answered yet; where the guest never heard of it, it is told nothing.
func (c *Conn) giveUp() {
	silent := c.unsaid&sayRequest != 0
	c.end(syscall.ECONNABORTED)
	if !silent {
		c.say(sayReset)
	}
}

// cut closes without a word: the guest is gone. It takes mu itself.
func (c *Conn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(syscall.ECONNRESET)
}

// finished closes in order once the guest has closed both halves and all it sent was read.
func (c *Conn) finished() {
	if c.state == open && c.guestEnded && c.guestDeaf && c.in.n == 0 {
		c.abort(nil)
	}
}
