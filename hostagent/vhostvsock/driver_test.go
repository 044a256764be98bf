//go:build linux

package vhostvsock

import (
	"encoding/binary"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// driver is the other side of a device: a hypervisor that hands over memory and rings, and the guest's virtio driver.
// It is a test's own and shares no code with the device but the layout of a header.
type driver struct {
	t    testing.TB
	d    *Device
	c    *net.UnixConn
	fd   int
	mem  []byte
	opts options

	rx, tx driverRing
	txMu   sync.Mutex
	free   []uint16
	served chan error
}

type options struct {
	eventIdx, indirect bool
	rxBuffer           int // of one receive buffer; 0: Linux's
	silent             bool
}

const (
	testCID   = 3
	guestBase = 0x1000000      // where the guest sees its memory
	userBase  = 0x7f0000000000 // where the hypervisor sees it
	memSize   = 24 << 20
	ringSize  = 128
	rxMemory  = 1 << 20           // receive buffers begin here
	txMemory  = 8 << 20           // and transmit buffers here
	txSlot    = maxPayload + 4096 // of one transmit buffer
	indirects = 0x10000           // tables of indirect descriptors, one per slot
	tables    = 0x1000            // the rings
	testRxBuf = 4096 - 320        // as Linux 6.12 has it, more or less
	tableSize = 64
)

// driverRing is a ring as a driver sees it.
type driverRing struct {
	desc, avail, used []byte
	at                uint64 // offset of desc
	next, seen        uint16
	kick, call        int
	eventIdx          bool
}

func newDriver(t testing.TB, o options) *driver {
	t.Helper()
	log := func(line string) { t.Log(line) }
	if o.silent {
		log = nil
	}
	g := &driver{t: t, d: New(testCID, log), opts: o, served: make(chan error, 1)}
	if g.opts.rxBuffer == 0 {
		g.opts.rxBuffer = testRxBuf
	}
	var err error
	if g.fd, err = unix.MemfdCreate("guest", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING); err != nil {
		t.Fatal(err)
	}
	g.must(unix.Ftruncate(g.fd, memSize))
	_, err = unix.FcntlInt(uintptr(g.fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK)
	g.must(err)
	g.mem, err = unix.Mmap(g.fd, 0, memSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	g.must(err)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	g.must(err)
	g.c = unixConn(t, pair[0])
	device := unixConn(t, pair[1])
	go func() { g.served <- g.d.Serve(device); device.Close() }()
	g.setUp()
	t.Cleanup(g.close)
	return g
}

func unixConn(t testing.TB, fd int) *net.UnixConn {
	f := os.NewFile(uintptr(fd), "pair")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*net.UnixConn)
}

func (g *driver) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *driver) close() {
	g.c.Close()
	select {
	case <-g.served:
	case <-time.After(10 * time.Second):
		g.t.Error("the device does not end with its hypervisor")
	}
	for _, r := range []*driverRing{&g.rx, &g.tx} {
		unix.Close(r.kick)
		unix.Close(r.call)
	}
	unix.Close(g.fd)
	g.must(unix.Munmap(g.mem))
}

// request sends one request of vhost-user and returns the answer, if one is wanted.
func (g *driver) request(id uint32, payload []byte, answer bool, fds ...int) []byte {
	g.t.Helper()
	b := binary.LittleEndian.AppendUint32(nil, id)
	flags := uint32(version)
	if answer {
		flags |= flagNeedReply
	}
	b = binary.LittleEndian.AppendUint32(b, flags)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	_, _, err := g.c.WriteMsgUnix(append(b, payload...), oob, nil)
	g.must(err)
	if !answer {
		return nil
	}
	g.must(g.c.SetReadDeadline(time.Now().Add(10 * time.Second)))
	head := make([]byte, messageHeader)
	_, err = readFull(g.c, head)
	g.must(err)
	body := make([]byte, binary.LittleEndian.Uint32(head[8:]))
	_, err = readFull(g.c, body)
	g.must(err)
	return body
}

func (g *driver) ok(id uint32, payload []byte, fds ...int) {
	g.t.Helper()
	if b := g.request(id, payload, true, fds...); binary.LittleEndian.Uint64(b) != 0 {
		g.t.Fatalf("request %d was refused", id)
	}
}

func (g *driver) setUp() {
	g.t.Helper()
	features := uint64(featVersion1 | featProtocol)
	if g.opts.eventIdx {
		features |= featEventIdx
	}
	if g.opts.indirect {
		features |= featIndirect
	}
	if got := binary.LittleEndian.Uint64(g.request(getFeatures, nil, true)); got&features != features {
		g.t.Fatalf("features %#x", got)
	}
	if got := binary.LittleEndian.Uint64(g.request(getProtocolFeatures, nil, true)); got&offeredProto != offeredProto {
		g.t.Fatalf("protocol features %#x", got)
	}
	g.ok(setProtocolFeatures, number(offeredProto))
	g.ok(setOwner, nil)
	config := g.request(getConfig, append(le32(0, 8, 0), make([]byte, 8)...), true)
	if got := binary.LittleEndian.Uint64(config[12:]); got != testCID {
		g.t.Fatalf("cid %d", got)
	}
	g.ok(setFeatures, number(features))
	table := append(le32(2, 0), region64(guestBase, memSize/2, userBase, 0)...)
	table = append(table, region64(guestBase+memSize/2, memSize/2, userBase+memSize/2, memSize/2)...)
	g.ok(setMemTable, table, g.fd, g.fd)
	g.rx, g.tx = g.ringAt(rxRing, tables), g.ringAt(txRing, tables+0x4000)
	for i := range uint16(ringSize) {
		g.post(i)
	}
	for i := range uint16(ringSize / 2) {
		g.free = append(g.free, i)
	}
}

func (g *driver) ringAt(i uint32, at uint64) driverRing {
	g.t.Helper()
	avail, used := at+descLen*ringSize, at+0x2000
	r := driverRing{
		desc: g.mem[at : at+descLen*ringSize], avail: g.mem[avail : avail+6+2*ringSize], used: g.mem[used : used+6+8*ringSize],
		at: at, eventIdx: g.opts.eventIdx,
	}
	var err error
	r.kick, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	g.must(err)
	r.call, err = unix.Eventfd(0, unix.EFD_CLOEXEC)
	g.must(err)
	g.ok(setVringNum, le32(i, ringSize))
	g.ok(setVringBase, le32(i, 0))
	addr := le32(i, 0)
	for _, a := range []uint64{at, used, avail, 0} {
		addr = binary.LittleEndian.AppendUint64(addr, userBase+a)
	}
	g.ok(setVringAddr, addr)
	g.ok(setVringCall, number(uint64(i)), r.call)
	g.ok(setVringKick, number(uint64(i)), r.kick)
	g.ok(setVringEnable, le32(i, 1))
	return r
}

func le32(n ...uint32) (b []byte) {
	for _, x := range n {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

func region64(n ...uint64) (b []byte) {
	for _, x := range n {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return b
}

func readFull(c net.Conn, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var k int
		k, err = c.Read(b[n:])
		n += k
	}
	return n, err
}

func (r *driverRing) setDesc(i uint16, addr uint64, n uint32, flags, next uint16) {
	putDesc(r.desc[descLen*int(i):], addr, n, flags, next)
}

func putDesc(b []byte, addr uint64, n uint32, flags, next uint16) {
	binary.LittleEndian.PutUint64(b, addr)
	binary.LittleEndian.PutUint32(b[8:], n)
	binary.LittleEndian.PutUint16(b[12:], flags)
	binary.LittleEndian.PutUint16(b[14:], next)
}

// offer makes a chain available and kicks where the device wants it.
func (r *driverRing) offer(head uint16) {
	binary.LittleEndian.PutUint16(r.avail[4+2*int(r.next%ringSize):], head)
	old := r.next
	r.next++
	flags := atomic.LoadUint32(word(r.avail)) & 0xffff
	atomic.SwapUint32(word(r.avail), uint32(r.next)<<16|flags)
	if r.eventIdx {
		event := binary.LittleEndian.Uint16(r.used[4+8*ringSize:])
		if r.next-event-1 >= r.next-old {
			return
		}
	} else if atomic.LoadUint32(word(r.used))&noNotify != 0 {
		return
	}
	r.doKick()
}

func (r *driverRing) doKick() { unix.Write(r.kick, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// takeUsed returns a chain that the device has given back.
func (r *driverRing) takeUsed() (head uint16, n uint32, ok bool) {
	if uint16(atomic.LoadUint32(word(r.used))>>16) == r.seen {
		return 0, 0, false
	}
	e := r.used[4+8*int(r.seen%ringSize):]
	r.seen++
	return uint16(binary.LittleEndian.Uint32(e)), binary.LittleEndian.Uint32(e[4:]), true
}

// await asks for a call at the next entry and waits for one, at most for the time given.
func (r *driverRing) await(ms int) {
	if r.eventIdx {
		binary.LittleEndian.PutUint16(r.avail[4+2*ringSize:], r.seen)
		flags := atomic.LoadUint32(word(r.avail))
		atomic.SwapUint32(word(r.avail), flags)
	}
	if uint16(atomic.LoadUint32(word(r.used))>>16) != r.seen {
		return
	}
	p := []unix.PollFd{{Fd: int32(r.call), Events: unix.POLLIN}}
	if n, _ := unix.Poll(p, ms); n > 0 {
		var b [8]byte
		unix.Read(r.call, b[:])
	}
}

// post gives the device a receive buffer.
func (g *driver) post(i uint16) {
	g.rx.setDesc(i, guestBase+rxMemory+uint64(i)*uint64(g.opts.rxBuffer), uint32(g.opts.rxBuffer), descWrite, 0)
	g.rx.offer(i)
}

// packet returns the next packet from the host, or ok false where none came in time.
func (g *driver) packet(wait time.Duration) (h header, body []byte, ok bool) {
	g.t.Helper()
	end := time.Now().Add(wait)
	for {
		if i, n, ok := g.rx.takeUsed(); ok {
			at := rxMemory + int(i)*g.opts.rxBuffer
			h.get((*[headerLen]byte)(g.mem[at:]))
			body = append([]byte(nil), g.mem[at+headerLen:at+int(n)]...)
			if int(h.length) != len(body) {
				g.t.Fatalf("a packet says %d bytes and has %d", h.length, len(body))
			}
			g.post(i)
			return h, body, true
		}
		left := time.Until(end)
		if left <= 0 {
			return h, nil, false
		}
		g.rx.await(int(left.Milliseconds()) + 1)
	}
}

// send gives the device a packet, header and body in descriptors of their own.
func (g *driver) send(h header, body []byte) {
	g.txMu.Lock()
	defer g.txMu.Unlock()
	i, ok := g.slot()
	if !ok {
		return
	}
	at := uint64(txMemory) + uint64(i)*txSlot
	h.srcCID, h.dstCID = testCID, 2
	if h.kind == 0 {
		h.kind = typeStream
	}
	h.put((*[headerLen]byte)(g.mem[at:]))
	copy(g.mem[at+headerLen:], body)
	g.chain(i, at, len(body))
	g.tx.offer(2 * i)
}

// chain describes a packet in a slot: two descriptors in the ring, or in a table of their own.
func (g *driver) chain(i uint16, at uint64, body int) {
	if g.opts.indirect {
		table := uint64(indirects) + tableSize*uint64(i)
		putDesc(g.mem[table:], guestBase+at, headerLen, descNext, 1)
		putDesc(g.mem[table+descLen:], guestBase+at+headerLen, uint32(body), 0, 0)
		g.tx.setDesc(2*i, guestBase+table, 2*descLen, descIndirect, 0)
		return
	}
	g.tx.setDesc(2*i, guestBase+at, headerLen, descNext, 2*i+1)
	g.tx.setDesc(2*i+1, guestBase+at+headerLen, uint32(body), 0, 0)
}

// slot is a transmit buffer; it waits for one.
func (g *driver) slot() (uint16, bool) {
	for try := 0; ; try++ {
		for {
			head, _, ok := g.tx.takeUsed()
			if !ok {
				break
			}
			g.free = append(g.free, head/2)
		}
		if n := len(g.free); n > 0 {
			i := g.free[n-1]
			g.free = g.free[:n-1]
			return i, true
		}
		if try > 1000 {
			g.t.Error("no transmit buffer comes back")
			return 0, false
		}
		g.tx.await(10)
	}
}
