//go:build linux

package vhostvsock

import (
	"sync"
	"testing"
	"time"
)

// peer is a small guest on a driver: it accepts every connection, and on each does what its port says.
type peer struct {
	*driver
	mu    sync.Mutex
	conns map[key]*peerConn
	stop  chan struct{}
	done  chan struct{}
}

// Ports of a peer.
const (
	portEcho  = 7
	portSink  = 9  // takes everything, answers nothing
	portStall = 13 // takes nothing
	portNone  = 99 // refused
)

const peerWindow = 256 << 10

type peerConn struct {
	key            key
	port           uint32
	queue          []byte // to be echoed
	got            uint32 // what the host has sent
	sent           uint32
	alloc, taken   uint32 // the host's credit
	hostEnd, ended bool
}

func newPeer(t testing.TB, o options) *peer {
	p := &peer{driver: newDriver(t, o), conns: map[key]*peerConn{}, stop: make(chan struct{}), done: make(chan struct{})}
	go p.loop()
	t.Cleanup(p.halt)
	return p
}

func (p *peer) halt() {
	select {
	case <-p.stop:
	default:
		close(p.stop)
	}
	<-p.done
}

func (p *peer) loop() {
	defer close(p.done)
	for {
		select {
		case <-p.stop:
			return
		default:
		}
		h, body, ok := p.packet(20 * time.Millisecond)
		if ok {
			p.handle(h, body)
		}
	}
}

func (p *peer) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

func (p *peer) say(c *peerConn, op uint16, flags uint32, body []byte) {
	taken := c.got
	if c.port == portStall {
		taken = 0
	}
	p.send(header{srcPort: c.key.guest, dstPort: c.key.host, op: op, flags: flags, length: uint32(len(body)), bufAlloc: peerWindow, fwdCnt: taken}, body)
}

func (p *peer) handle(h header, body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := key{host: h.srcPort, guest: h.dstPort}
	c := p.conns[k]
	if c == nil {
		if h.op == opReset {
			return
		}
		c = &peerConn{key: k, port: h.dstPort}
		if h.op != opRequest || h.dstPort == portNone {
			p.say(c, opReset, 0, nil)
			return
		}
		p.conns[k] = c
		c.alloc, c.taken = h.bufAlloc, h.fwdCnt
		p.say(c, opResponse, 0, nil)
		return
	}
	c.alloc, c.taken = h.bufAlloc, h.fwdCnt
	switch h.op {
	case opReset:
		delete(p.conns, k)
		return
	case opData:
		p.data(c, body)
	case opShutdown:
		c.hostEnd = c.hostEnd || h.flags&shutSend != 0
		if h.flags&shutBoth == shutBoth {
			p.say(c, opReset, 0, nil)
			delete(p.conns, k)
			return
		}
	case opCreditRequest:
		p.say(c, opCreditUpdate, 0, nil)
	}
	p.echo(c)
}

func (p *peer) data(c *peerConn, body []byte) {
	c.got += uint32(len(body))
	switch c.port {
	case portEcho:
		c.queue = append(c.queue, body...)
	case portSink:
		if c.got%(64<<10) < uint32(len(body)) {
			p.say(c, opCreditUpdate, 0, nil)
		}
	}
}

// echo sends what the credit allows, and the end when all is sent.
func (p *peer) echo(c *peerConn) {
	for len(c.queue) > 0 {
		room := int(c.alloc) - int(c.sent-c.taken)
		if room <= 0 {
			return
		}
		n := min(len(c.queue), room, 4096)
		c.sent += uint32(n)
		p.say(c, opData, 0, c.queue[:n])
		c.queue = c.queue[n:]
	}
	if c.hostEnd && !c.ended {
		c.ended = true
		p.say(c, opShutdown, shutBoth, nil)
	}
}
