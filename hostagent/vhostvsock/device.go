//go:build linux

package vhostvsock

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/berthhq/berth/hostagent/transport"
)

// Bounds of a device.
const (
	maxConns   = 1 << 16
	maxResets  = 64        // answers to packets of no connection that wait for a buffer; then the guest waits
	firstPort  = 1 << 30   // of the host's ends
	growBudget = 256 << 20 // what all windows together may have above the least
)

// Device is the vsock device of one guest.
type Device struct {
	cid    uint64
	log    func(string)
	rx, tx queue
	pool   buffers
	grown  atomic.Int64 // bytes of windows above the least

	table struct {
		sync.Mutex
		conns map[key]*Conn
		port  uint32 // the last one taken for a host's end
		ended error
	}
	pending pending
}

// key names a connection: the ports of both ends.
type key struct{ host, guest uint32 }

// New makes the device of a guest with an address above 2. log is told, one line each, what a guest or the hypervisor
// does wrong; nil keeps silent.
func New(cid uint64, log func(line string)) *Device {
	d := &Device{cid: cid, log: log}
	d.table.conns = map[key]*Conn{}
	d.table.port = firstPort + rand.Uint32N(1<<29)
	return d
}

func (d *Device) logf(format string, args ...any) {
	if d.log != nil {
		d.log(fmt.Sprintf(format, args...))
	}
}

func (d *Device) ring(i int) *queue {
	if i == rxRing {
		return &d.rx
	}
	return &d.tx
}

// Streams is how many connections there are, those included that are being closed.
func (d *Device) Streams() int {
	d.table.Lock()
	defer d.table.Unlock()
	return len(d.table.conns)
}

// add makes a connection to a port of the guest.
func (d *Device) add(port uint32) (*Conn, error) {
	d.table.Lock()
	defer d.table.Unlock()
	if d.table.ended != nil {
		return nil, d.table.ended
	}
	if len(d.table.conns) >= maxConns {
		return nil, fmt.Errorf("%d streams are open: %w", maxConns, syscall.EMFILE)
	}
	k := key{guest: port}
	for {
		if d.table.port++; d.table.port < firstPort || d.table.port == 1<<32-1 {
			d.table.port = firstPort
		}
		k.host = d.table.port
		if d.table.conns[k] == nil {
			break
		}
	}
	c := newConn(d, k)
	d.table.conns[k] = c
	return c, nil
}

func (d *Device) find(k key) *Conn {
	d.table.Lock()
	defer d.table.Unlock()
	return d.table.conns[k]
}

// remove forgets a connection; what it still has to say is said.
func (d *Device) remove(c *Conn) {
	d.table.Lock()
	defer d.table.Unlock()
	if d.table.conns[c.key] == c {
		delete(d.table.conns, c.key)
	}
}

// end fails every stream, and those that are asked for later.
func (d *Device) end(cause error) {
	d.table.Lock()
	if d.table.ended == nil {
		d.table.ended = fmt.Errorf("the guest is gone (%v): %w", cause, syscall.ECONNRESET)
	}
	conns := d.table.conns
	d.table.conns = map[key]*Conn{}
	d.table.Unlock()
	for _, c := range conns {
		c.cut()
	}
}

// broken ends the device since the guest's driver has put nonsense into a ring.
func (d *Device) broken(err error) {
	d.logf("vsock device: the guest broke a ring: %v", err)
	go d.end(err) // the ring's mutex is held, connections are locked without it elsewhere
}

// pending is what waits for buffers of the guest.
type pending struct {
	sync.Mutex
	first, last *Conn // linked by Conn.next, each there once
	resets      []header
	stalled     bool // the guest's packets wait until there is room for resets
}

// ready puts a connection at the end of the line.
func (p *pending) ready(c *Conn) {
	p.Lock()
	defer p.Unlock()
	if c.queued {
		return
	}
	c.queued = true
	if p.last == nil {
		p.first = c
	} else {
		p.last.next = c
	}
	p.last = c
}

// take gives what is next to be sent: a reset, or a connection, or neither.
func (p *pending) take() (reset *header, c *Conn, unstalled bool) {
	p.Lock()
	defer p.Unlock()
	if n := len(p.resets); n > 0 {
		h := p.resets[n-1]
		p.resets = p.resets[:n-1]
		if p.stalled && n <= maxResets/2 {
			p.stalled, unstalled = false, true
		}
		return &h, nil, unstalled
	}
	if c = p.first; c != nil {
		p.first, c.next, c.queued = c.next, nil, false
		if p.first == nil {
			p.last = nil
		}
	}
	return nil, c, false
}

func (p *pending) empty() bool {
	p.Lock()
	defer p.Unlock()
	return p.first == nil && len(p.resets) == 0
}

// room says whether a packet of the guest may be looked at: its answer could be one more reset.
func (p *pending) room() bool {
	p.Lock()
	defer p.Unlock()
	if len(p.resets) >= maxResets {
		p.stalled = true
	}
	return !p.stalled
}

// reset answers a packet that belongs to no connection.
func (d *Device) reset(h *header) {
	d.pending.Lock()
	defer d.pending.Unlock()
	d.pending.resets = append(d.pending.resets, header{
		srcCID: transport.HostCID, dstCID: d.cid, srcPort: h.dstPort, dstPort: h.srcPort, kind: h.kind, op: opReset,
	})
}
