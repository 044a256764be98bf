//go:build linux

package vhostvsock

import "time"

// credit is what may be sent now.
func (c *Conn) credit() int {
	flying := c.sent - c.peerTaken
	if flying >= c.peerAlloc {
		return 0
	}
	return int(min(c.peerAlloc-flying, maxPayload))
}

// credited takes the guest's account of what it has read. One that has read what was never sent is lying; one that is
// older than the last comes from packets that overtook each other in the guest, as Linux lets them.
func (c *Conn) credited(h *header) bool {
	if int32(c.sent-h.fwdCnt) < 0 {
		return false
	}
	if int32(h.fwdCnt-c.peerTaken) >= 0 {
		c.peerAlloc, c.peerTaken = h.bufAlloc, h.fwdCnt
	}
	if len(c.out) > 0 && c.credit() > 0 {
		c.d.pending.ready(c)
	}
	return true
}

// read accounts for n bytes that were read, and tells the guest before its credit runs out. It is true where something
// is to be sent.
func (c *Conn) read(n int) bool {
	c.in.drop(n)
	c.consumed += uint32(n)
	if c.finished(); c.state != open {
		return c.unsaid != 0
	}
	if c.consumed-c.told < c.window/4 {
		return false
	}
	if c.window < mostWindow {
		// The guest uses its window up: it gets a larger one while there is memory for that.
		if c.d.grown.Add(int64(c.window)) <= growBudget {
			c.window *= 2
		} else {
			c.d.grown.Add(-int64(c.window))
		}
	}
	c.say(sayCredit)
	return true
}

// askLater has the guest asked for credit, once, where none comes by itself. Nothing is asked for twice in one wait: the
// guest tells when it has read.
func (c *Conn) askLater() {
	if c.asker != nil {
		c.asker.Reset(askAfter)
		return
	}
	c.asker = time.AfterFunc(askAfter, func() {
		c.mu.Lock()
		if c.state == open && len(c.out) > 0 && c.credit() == 0 {
			c.say(sayAskCredit)
		}
		c.mu.Unlock()
		c.d.pump()
	})
}
