//go:build linux

package vhostvsock

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"testing"
	"time"
)

// tape is the hostile guest's script.
type tape struct{ b []byte }

func (p *tape) u8() byte {
	if len(p.b) == 0 {
		return 0
	}
	x := p.b[0]
	p.b = p.b[1:]
	return x
}

func (p *tape) u16() uint16 { return uint16(p.u8()) | uint16(p.u8())<<8 }

// number is a small one, or one near a bound.
func (p *tape) number() uint64 {
	switch n := uint64(p.u16()); p.u8() % 8 {
	case 0:
		return -n
	case 1:
		return 1<<32 - n
	case 2:
		return n << 20
	case 3:
		return guestBase + memSize - n
	case 4, 5:
		return guestBase + txMemory + n
	default:
		return n
	}
}

// FuzzHostileGuest lets a guest do what it likes with its memory, its rings and its packets while the host opens,
// writes, reads and closes. Nothing may panic or hang, no connection may hold more than its window, and the hypervisor
// must still be answered.
func FuzzHostileGuest(f *testing.F) {
	f.Add([]byte{0, 3, 1, 0, 2, 4, 5, 1, 2, 3, 4, 5, 6, 7})
	f.Add([]byte{3, 4, 0, 2, 0, 0, 6, 3, 4, 1, 5, 10, 0, 6, 9, 9, 5, 1, 1, 6, 0, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 2048 {
			return
		}
		p := &tape{b: script}
		mode := p.u8()
		g := newDriver(t, options{eventIdx: mode&1 != 0, indirect: mode&2 != 0, silent: true})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		h := &hostile{driver: g, tape: p, ctx: ctx}
		for len(p.b) > 0 {
			h.step()
		}
		h.bounded(t)
		if b := g.request(getFeatures, nil, true); binary.LittleEndian.Uint64(b) != offered {
			t.Errorf("the hypervisor is answered %x", b)
		}
		cancel()
		for _, c := range h.open {
			c.Reset()
		}
	})
}

type hostile struct {
	*driver
	*tape
	ctx  context.Context
	open []*Conn
	last header // what the host said last
}

func (h *hostile) step() {
	switch h.u8() % 12 {
	case 0, 1:
		h.descriptor()
	case 2:
		h.ring().offer(h.u16() % (ringSize + 2))
	case 3:
		h.dial()
	case 4, 5, 6:
		h.say()
	case 7:
		h.listen()
	case 8:
		h.use()
	case 9: // memory at random, rings included
		at := (uint64(h.u16())*977 + tables) % (memSize - 8)
		binary.LittleEndian.PutUint64(h.mem[at:], h.number())
	case 10:
		atomic.StoreUint32(word(h.ring().avail), uint32(h.u16())<<16|uint32(h.u8()))
		h.rx.doKick()
		h.tx.doKick()
	case 11:
		h.tx.doKick()
	}
}

func (h *hostile) ring() *driverRing {
	if h.u8()&1 == 0 {
		return &h.rx
	}
	return &h.tx
}

func (h *hostile) descriptor() {
	r, i := h.ring(), h.u16()%ringSize
	r.setDesc(i, h.number(), uint32(h.number()), h.u16()&7, h.u16()%(ringSize+2))
}

func (h *hostile) dial() {
	ctx, cancel := context.WithTimeout(h.ctx, 2*time.Millisecond)
	defer cancel()
	got := make(chan *Conn, 1)
	go func() {
		c, _ := h.d.Dial(ctx, uint32(h.ctxPort()))
		got <- c
	}()
	if p, _, ok := h.quick(); ok && p.op == opRequest {
		h.last = p
		h.packetOf(answer(p, opResponse), nil)
	}
	if c := <-got; c != nil {
		_ = c.SetDeadline(time.Now().Add(time.Millisecond))
		h.open = append(h.open, c)
	}
}

func (h *hostile) ctxPort() int { return len(h.open) + 1 }

// say sends a packet on the last connection, with fields of the script's.
func (h *hostile) say() {
	p := answer(h.last, h.u16()%9)
	p.flags, p.bufAlloc, p.fwdCnt = uint32(h.u8()), uint32(h.number()), uint32(h.u8())
	if h.u8()&3 == 0 {
		p.fwdCnt = uint32(h.number())
	}
	if h.u8()&7 == 0 {
		p.srcPort = uint32(h.number())
	}
	body := make([]byte, h.u16())
	if p.length = uint32(len(body)); h.u8()&7 == 0 {
		p.length = uint32(h.number())
	}
	h.packetOf(p, body)
}

// packetOf puts a packet into the next slot, whether the device is done with it or not.
func (h *hostile) packetOf(p header, body []byte) {
	i := h.tx.next % (ringSize / 2)
	at := uint64(txMemory) + uint64(i)*txSlot
	p.srcCID, p.dstCID, p.kind = testCID, 2, typeStream
	p.put((*[headerLen]byte)(h.mem[at:]))
	copy(h.mem[at+headerLen:at+txSlot], body)
	h.chain(i, at, len(body))
	h.tx.offer(2 * i)
}

// listen takes what the host has sent, if its places make sense.
func (h *hostile) listen() {
	if p, _, ok := h.quick(); ok {
		h.last = p
	}
}

func (h *hostile) quick() (p header, body []byte, ok bool) {
	for range 20 {
		if i, n, ok := h.rx.takeUsed(); ok {
			if int(i) >= ringSize || int(n) < headerLen || int(n) > h.opts.rxBuffer {
				return p, nil, false
			}
			p.get((*[headerLen]byte)(h.mem[rxMemory+int(i)*h.opts.rxBuffer:]))
			h.post(i)
			return p, nil, true
		}
		time.Sleep(50 * time.Microsecond)
	}
	return p, nil, false
}

// use does something with a connection of the host's.
func (h *hostile) use() {
	what := h.u8()
	if len(h.open) == 0 {
		return
	}
	c := h.open[int(h.u8())%len(h.open)]
	_ = c.SetDeadline(time.Now().Add(time.Millisecond))
	switch what % 4 {
	case 0:
		_, _ = c.Write(make([]byte, h.u16()))
	case 1:
		_, _ = c.Read(make([]byte, h.u16()))
	case 2:
		_ = c.CloseWrite()
	case 3:
		_ = c.Close()
	}
}

func (h *hostile) bounded(t *testing.T) {
	for _, c := range h.open {
		c.mu.Lock()
		if c.in.n > int(c.window) || c.window > mostWindow || len(c.in.mem) > 2*mostWindow {
			t.Errorf("%d bytes are kept in %d, the window is %d", c.in.n, len(c.in.mem), c.window)
		}
		c.mu.Unlock()
	}
	h.d.pending.Lock()
	defer h.d.pending.Unlock()
	if n := len(h.d.pending.resets); n > maxResets {
		t.Errorf("%d answers wait", n)
	}
}
