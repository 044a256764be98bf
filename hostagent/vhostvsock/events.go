//go:build linux

package vhostvsock

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/berthhq/berth/hostagent/transport"
)

// receive takes a packet of the guest. It takes mu itself; the caller pumps.
func (c *Conn) receive(h *header, body [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	switch c.state {
	case connecting:
		err = c.answered(h)
	case open:
		err = c.exchanged(h, body)
	case closing:
		c.agreed(h)
	}
	if err != nil {
		c.d.logf("vsock device: stream %d to port %d is reset: %v", c.key.host, c.key.guest, err)
		c.abort(fmt.Errorf("%w by the guest's mistake: %w", errBroken, syscall.ECONNRESET))
	}
}

var errBroken = errors.New("cut")

func (c *Conn) answered(h *header) error {
	switch h.op {
	case opResponse:
		if c.unsaid&sayRequest != 0 || !c.credited(h) {
			return errors.New("an answer to what was not asked")
		}
		c.state = open
		c.changed.Broadcast()
	case opReset:
		c.end(syscall.ECONNREFUSED)
	default:
		return fmt.Errorf("operation %d before the answer", h.op)
	}
	return nil
}

func (c *Conn) exchanged(h *header, body [][]byte) error {
	if h.op == opReset {
		if c.guestEnded { // in order: what it sent is complete
			c.guestDeaf = true
			c.end(nil)
		} else {
			c.end(syscall.ECONNRESET)
		}
		return nil
	}
	if !c.credited(h) {
		return errors.New("credit for what was never sent")
	}
	switch h.op {
	case opData:
		return c.data(h, body)
	case opCreditUpdate:
	case opCreditRequest:
		c.say(sayCredit)
	case opShutdown:
		c.guestEnded = c.guestEnded || h.flags&shutSend != 0
		c.guestDeaf = c.guestDeaf || h.flags&shutReceive != 0
		if c.guestDeaf {
			c.out = nil
		}
		c.finished()
		c.changed.Broadcast()
	default:
		return fmt.Errorf("operation %d of an open stream", h.op)
	}
	return nil
}

func (c *Conn) data(h *header, body [][]byte) error {
	n := int(h.length)
	switch {
	case h.length > maxPayload || uint64(h.length) > size(body):
		return fmt.Errorf("a packet of %d bytes that has %d", h.length, size(body))
	case c.guestEnded:
		return errors.New("data after the end")
	case n > int(c.window)-c.in.n:
		return fmt.Errorf("%d bytes more than the credit", n-(int(c.window)-c.in.n))
	}
	if n > 0 {
		c.in.add(body, n)
		c.changed.Broadcast()
	}
	return nil
}

// agreed is what a guest says to a close: data that nobody wants any more, or that it closes too.
func (c *Conn) agreed(h *header) {
	switch h.op {
	case opReset:
		c.end(nil)
	case opShutdown:
		if h.flags&shutBoth == shutBoth {
			c.abort(nil)
		}
	}
}

// emit writes the connection's next packet into segs, which have room for more than a header, and returns its length; 0
// where there is nothing to say. What is left brings it to the end of the line. It takes mu itself.
func (c *Conn) emit(segs [][]byte) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := header{
		srcCID: transport.HostCID, dstCID: c.d.cid, srcPort: c.key.host, dstPort: c.key.guest, kind: typeStream,
		bufAlloc: c.window, fwdCnt: c.consumed,
	}
	var data []byte
	switch said := c.choose(&h); {
	case h.op == 0:
		return 0
	case h.op == opData:
		room := int(min(size(segs)-headerLen, maxPayload))
		data = c.out[:min(len(c.out), c.credit(), room)]
		h.length = uint32(len(data))
		c.unsaid &^= sayCredit // said by every packet
	default:
		c.unsaid &^= said
	}
	var b [headerLen]byte
	h.put(&b)
	scatter(scatter(segs, b[:]), data)
	c.told = c.consumed
	c.sent, c.taken = c.sent+uint32(len(data)), c.taken+len(data)
	if c.out = c.out[len(data):]; len(data) > 0 && len(c.out) == 0 {
		c.changed.Broadcast()
	}
	if c.unsaid != 0 || len(c.out) > 0 && c.credit() > 0 {
		c.d.pending.ready(c)
	} else if h.op == opData && len(c.out) > 0 {
		c.askLater()
	}
	return headerLen + len(data)
}

// choose picks what is said next: the end of a half only after its data.
func (c *Conn) choose(h *header) (said uint8) {
	switch {
	case c.unsaid&sayReset != 0:
		h.op, said = opReset, 0xff
	case c.unsaid&sayRequest != 0:
		h.op, said = opRequest, sayRequest
	case c.unsaid&sayShutBoth != 0:
		h.op, h.flags, said = opShutdown, shutBoth, sayShutBoth|sayShutSend
	case len(c.out) > 0 && c.credit() > 0:
		h.op = opData
	case c.unsaid&sayShutSend != 0 && len(c.out) == 0:
		h.op, h.flags, said = opShutdown, shutSend, sayShutSend
	case c.unsaid&sayCredit != 0:
		h.op, said = opCreditUpdate, sayCredit
	case c.unsaid&sayAskCredit != 0:
		h.op, said = opCreditRequest, sayAskCredit
	}
	return said
}
