//go:build linux

package vhostvsock

import "fmt"

// pump fills the guest's receive buffers with what is ready, one packet of a connection after one of another. Whoever has
// made something ready calls it, and so does a kick.
func (d *Device) pump() {
	if d.fill() {
		d.tx.mu.Lock()
		if d.tx.kick != nil {
			signal(d.tx.kick) // the guest's packets waited for this
		}
		d.tx.mu.Unlock()
	}
}

func (d *Device) fill() (unstalled bool) {
	q := &d.rx
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.usable() {
		return false
	}
	defer func() {
		if q.usable() {
			q.publish()
		}
	}()
	var room [8][]byte
	q.quiet()
	for {
		buf, ok, err := q.next(true, room[:0])
		if err == nil && ok && size(buf.segs) <= headerLen {
			err = q.fail(fmt.Errorf("a receive buffer of %d bytes", size(buf.segs)))
		}
		if err != nil {
			d.broken(err)
			return unstalled
		}
		if !ok {
			q.publish()
			if d.pending.empty() || !q.arm() {
				return unstalled
			}
			q.quiet()
			continue
		}
		n, woken := d.packet(buf.segs)
		unstalled = unstalled || woken
		if n == 0 {
			q.back()
			return unstalled
		}
		q.give(buf.head, n)
	}
}

// packet writes the next packet into a buffer and returns its length; 0 where there is none.
func (d *Device) packet(segs [][]byte) (n int, unstalled bool) {
	var b [headerLen]byte
	for {
		reset, c, woken := d.pending.take()
		unstalled = unstalled || woken
		if reset != nil {
			reset.put(&b)
			scatter(segs, b[:])
			return headerLen, unstalled
		}
		if c == nil {
			return 0, unstalled
		}
		if n := c.emit(segs); n > 0 {
			return n, unstalled
		}
	}
}
