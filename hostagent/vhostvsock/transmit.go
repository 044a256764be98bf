//go:build linux

package vhostvsock

import "github.com/berthhq/berth/hostagent/transport"

// batch is how many packets are taken before the ring is let go of for a moment, and answers are sent.
const batch = 64

// transmitted takes the guest's packets until there are none.
func (d *Device) transmitted() {
	for {
		more := d.takeBatch()
		d.pump()
		if !more {
			return
		}
	}
}

func (d *Device) takeBatch() (more bool) {
	q := &d.tx
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.usable() {
		return false
	}
	defer q.publish()
	var room [20][]byte
	q.quiet()
	for range batch {
		if !d.pending.room() {
			return false // pump brings us back
		}
		buf, ok, err := q.next(false, room[:0])
		if err != nil {
			d.broken(err)
			return false
		}
		if !ok {
			return q.arm()
		}
		d.receive(buf.segs)
		q.give(buf.head, 0)
	}
	return true
}

// receive looks at one packet. One that is not from this guest to this host is dropped, as the specification has it.
func (d *Device) receive(segs [][]byte) {
	var b [headerLen]byte
	var h header
	rest, short := gather(b[:], segs)
	if short {
		return
	}
	h.get(&b)
	if h.srcCID != d.cid || h.dstCID != transport.HostCID {
		return
	}
	c := d.find(key{host: h.dstPort, guest: h.srcPort})
	if h.kind != typeStream || c == nil {
		if h.op != opReset { // the host listens to nothing: a request is refused like anything else
			d.reset(&h)
		}
		return
	}
	c.receive(&h, rest)
}
