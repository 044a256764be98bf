//go:build linux

package vhostvsock

import (
	"encoding/binary"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// opened makes a stream on a driver without a peer: the test answers by itself.
func opened(t *testing.T, g *driver) (*Conn, header) {
	t.Helper()
	got := make(chan *Conn)
	go func() {
		c, err := g.d.Dial(t.Context(), portEcho)
		if err != nil {
			t.Error(err)
		}
		got <- c
	}()
	h, _, ok := g.packet(10 * time.Second)
	if !ok || h.op != opRequest || h.dstPort != portEcho || h.srcCID != 2 || h.dstCID != testCID || h.kind != typeStream || h.bufAlloc != leastWindow {
		t.Fatalf("%+v, %v", h, ok)
	}
	g.send(answer(h, opResponse), nil)
	c := <-got
	if c == nil {
		t.FailNow()
	}
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c, h
}

// answer is a header for the way back.
func answer(h header, op uint16) header {
	return header{srcPort: h.dstPort, dstPort: h.srcPort, op: op, bufAlloc: peerWindow}
}

func with(h header, change func(*header)) header {
	change(&h)
	return h
}

// TestMistakesCutTheirOwnStream: each breaks a rule of the protocol; the stream is reset, another goes on.
func TestMistakesCutTheirOwnStream(t *testing.T) {
	for name, lie := range map[string]func(g *driver, h header){
		"a second answer": func(g *driver, h header) { g.send(answer(h, opResponse), nil) },
		"a request":       func(g *driver, h header) { g.send(answer(h, opRequest), nil) },
		"operation 77":    func(g *driver, h header) { g.send(answer(h, 77), nil) },
		"operation 0":     func(g *driver, h header) { g.send(answer(h, 0), nil) },
		"shorter than said": func(g *driver, h header) {
			g.send(with(answer(h, opData), func(h *header) { h.length = 100 }), make([]byte, 99))
		},
		"4 GiB long": func(g *driver, h header) {
			g.send(with(answer(h, opData), func(h *header) { h.length = 1<<32 - 1 }), make([]byte, 99))
		},
		"credit for what was never sent": func(g *driver, h header) {
			g.send(with(answer(h, opCreditUpdate), func(h *header) { h.fwdCnt = 1 }), nil)
		},
		"more than its credit": func(g *driver, h header) {
			for range 2 {
				g.send(with(answer(h, opData), func(h *header) { h.length = 60 << 10 }), make([]byte, 60<<10))
			}
		},
		"data after the end": func(g *driver, h header) {
			g.send(with(answer(h, opShutdown), func(h *header) { h.flags = shutSend }), nil)
			g.send(with(answer(h, opData), func(h *header) { h.length = 1 }), []byte("x"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newDriver(t, options{eventIdx: true})
			c, h := opened(t, g)
			other, oh := opened(t, g)
			lie(g, h)
			got, _, ok := g.packet(10 * time.Second)
			if !ok || got.op != opReset || got.srcPort != h.srcPort || got.dstPort != h.dstPort {
				t.Fatalf("the guest is told %+v, %v", got, ok)
			}
			if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("write: %v", err)
			}
			g.send(with(answer(oh, opData), func(h *header) { h.length = 2 }), []byte("on"))
			if err := readString(other, "on"); err != nil {
				t.Error(err)
			}
			if n := g.d.Streams(); n != 1 {
				t.Errorf("%d streams, want the other one", n)
			}
		})
	}
}

func readString(c *Conn, want string) error {
	got := make([]byte, len(want))
	if _, err := readFull(c, got); err != nil {
		return err
	}
	if string(got) != want {
		return errors.New(string(got))
	}
	return nil
}

func TestPacketsOfNoConnection(t *testing.T) {
	g := newDriver(t, options{})
	for _, op := range []uint16{opRequest, opResponse, opShutdown, opData, opCreditUpdate, opCreditRequest, 0, 99} {
		g.send(header{srcPort: 5, dstPort: 6, op: op, bufAlloc: 1}, nil)
		h, _, ok := g.packet(10 * time.Second)
		if !ok || h.op != opReset || h.srcPort != 6 || h.dstPort != 5 {
			t.Errorf("operation %d is answered by %+v, %v", op, h, ok)
		}
	}
	g.send(header{srcPort: 5, dstPort: 6, op: opData, kind: 2}, nil) // of another type, whose reset is of that type
	if h, _, ok := g.packet(10 * time.Second); !ok || h.op != opReset || h.kind != 2 {
		t.Errorf("%+v, %v", h, ok)
	}
	g.send(header{srcPort: 5, dstPort: 6, op: opReset}, nil) // is not answered, or two would go on forever
	if h, _, ok := g.packet(50 * time.Millisecond); ok {
		t.Errorf("a reset is answered by %+v", h)
	}
	if n := g.d.Streams(); n != 0 {
		t.Errorf("%d streams", n)
	}
}

func TestOtherAddressesAreDropped(t *testing.T) {
	g := newDriver(t, options{})
	c, h := opened(t, g)
	for _, cids := range [][2]uint64{{4, 2}, {2, 2}, {testCID, testCID}, {testCID, 1}, {1 << 40, 2}} {
		i, _ := g.slot()
		at := uint64(txMemory) + uint64(i)*txSlot
		r := answer(h, opReset)
		r.srcCID, r.dstCID, r.kind = cids[0], cids[1], typeStream
		r.put((*[headerLen]byte)(g.mem[at:]))
		g.chain(i, at, 0)
		g.tx.offer(2 * i)
	}
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var timeout interface{ Timeout() bool }
	if _, err := c.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("somebody else ended the stream: %v", err)
	}
}

// TestBrokenRings: what no driver does ends the device's service for this guest, and nothing else.
func TestBrokenRings(t *testing.T) {
	for name, attack := range map[string]func(g *driver){
		"a circle": func(g *driver) {
			g.tx.setDesc(0, guestBase, 1, descNext, 1)
			g.tx.setDesc(1, guestBase, 1, descNext, 0)
			g.tx.offer(0)
		},
		"a descriptor that is not there":       func(g *driver) { g.tx.offer(ringSize) },
		"a next descriptor that is not there":  func(g *driver) { g.tx.setDesc(0, guestBase, 1, descNext, 9999); g.tx.offer(0) },
		"an address outside":                   func(g *driver) { g.tx.setDesc(0, 0, 100, 0, 0); g.tx.offer(0) },
		"an address at the end":                func(g *driver) { g.tx.setDesc(0, guestBase+memSize-1, 2, 0, 0); g.tx.offer(0) },
		"an address that wraps around":         func(g *driver) { g.tx.setDesc(0, 1<<64-1, 1<<32-1, 0, 0); g.tx.offer(0) },
		"a huge length":                        func(g *driver) { g.tx.setDesc(0, guestBase, 1<<32-1, 0, 0); g.tx.offer(0) },
		"a buffer to be written":               func(g *driver) { g.tx.setDesc(0, guestBase, 100, descWrite, 0); g.tx.offer(0) },
		"a table in a table":                   func(g *driver) { nested(g, descIndirect) },
		"a table that is not whole":            func(g *driver) { g.tx.setDesc(0, guestBase, 17, descIndirect, 0); g.tx.offer(0) },
		"an empty table":                       func(g *driver) { g.tx.setDesc(0, guestBase, 0, descIndirect, 0); g.tx.offer(0) },
		"a huge table":                         func(g *driver) { g.tx.setDesc(0, guestBase, 1<<24, descIndirect, 0); g.tx.offer(0) },
		"a table outside":                      func(g *driver) { g.tx.setDesc(0, 0, 32, descIndirect, 0); g.tx.offer(0) },
		"a circle in a table":                  func(g *driver) { nested(g, descNext) },
		"more buffers than the ring has":       func(g *driver) { g.tx.next += 1000; g.tx.offer(0) },
		"a receive buffer that cannot be read": func(g *driver) { g.rx.next += 1000; g.rx.offer(0); go g.d.Dial(g.t.Context(), 1) },
		"a receive buffer without room": func(g *driver) {
			for i := range uint16(ringSize) {
				g.rx.setDesc(i, guestBase, headerLen, descWrite, 0)
			}
			go g.d.Dial(g.t.Context(), 1)
		},
		"a receive buffer of zero bytes": func(g *driver) {
			for i := range uint16(ringSize) {
				g.rx.setDesc(i, 0, 0, descWrite, 0)
			}
			go g.d.Dial(g.t.Context(), 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newDriver(t, options{indirect: true})
			c, _ := opened(t, g)
			attack(g)
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("read: %v", err)
			}
			if _, err := g.d.Dial(t.Context(), 1); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("dial: %v", err)
			}
			g.tx.doKick()
			g.ok(setOwner, nil) // the hypervisor is still answered
		})
	}
}

// nested makes a table whose only entry has the flags, and leads to itself.
func nested(g *driver, flags uint16) {
	putDesc(g.mem[indirects:], guestBase+indirects, descLen, flags, 0)
	g.tx.setDesc(0, guestBase+indirects, descLen, descIndirect, 0)
	g.tx.offer(0)
}

func TestTablesWithoutTheFeature(t *testing.T) {
	g := newDriver(t, options{})
	c, _ := opened(t, g)
	nested(g, 0)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v", err)
	}
}

// TestOddChains: strange but allowed.
func TestOddChains(t *testing.T) {
	g := newDriver(t, options{indirect: true})
	c, h := opened(t, g)
	var b [headerLen]byte
	r := with(answer(h, opData), func(h *header) { h.length, h.srcCID, h.dstCID, h.kind = 3, testCID, 2, typeStream })
	r.put(&b)
	copy(g.mem[txMemory:], b[:])
	copy(g.mem[txMemory+headerLen:], "abc and more than was said")
	// Header in pieces, an empty one between, then a table with the rest.
	g.tx.setDesc(0, guestBase+txMemory, 10, descNext, 1)
	g.tx.setDesc(1, 0, 0, descNext, 2)
	g.tx.setDesc(2, guestBase+txMemory+10, 20, descNext, 3)
	putDesc(g.mem[indirects:], guestBase+txMemory+30, headerLen-30+2, descNext, 1)
	putDesc(g.mem[indirects+descLen:], guestBase+txMemory+headerLen+2, 10, 0, 0)
	g.tx.setDesc(3, guestBase+indirects, 2*descLen, descIndirect, 0)
	g.tx.offer(0)
	if err := readString(c, "abc"); err != nil {
		t.Error(err)
	}
	g.tx.setDesc(0, guestBase+txMemory, headerLen-1, 0, 0) // too short for a header: dropped
	g.tx.offer(0)
	g.send(with(answer(h, opData), func(h *header) { h.length = 2 }), []byte("on"))
	if err := readString(c, "on"); err != nil {
		t.Error(err)
	}
}

// TestRefusalsAreBounded: a guest that provokes answers and takes none is stopped, and goes on when it takes them.
func TestRefusalsAreBounded(t *testing.T) {
	g := newDriver(t, options{})
	g.request(getVringBase, le32(rxRing, 0), true)
	g.ok(setVringBase, le32(rxRing, ringSize)) // as if all buffers were used
	g.rx.seen = uint16(atomic.LoadUint32(word(g.rx.used)) >> 16)
	g.ok(setVringKick, number(rxRing), g.rx.kick)
	for i := range uint16(ringSize) { // more requests than are answered
		var b [headerLen]byte
		at := uint64(txMemory) + headerLen*uint64(i)
		r := header{srcCID: testCID, dstCID: 2, srcPort: uint32(i), dstPort: 1, kind: typeStream, op: opRequest}
		r.put(&b)
		copy(g.mem[at:], b[:])
		g.tx.setDesc(i, guestBase+at, headerLen, 0, 0)
		g.tx.offer(i)
	}
	waiting := func() int { g.d.pending.Lock(); defer g.d.pending.Unlock(); return len(g.d.pending.resets) }
	eventually(t, "answers wait", func() bool { return waiting() == maxResets })
	time.Sleep(20 * time.Millisecond)
	if n := waiting(); n != maxResets {
		t.Errorf("%d answers wait, at most %d may", n, maxResets)
	}
	if used := uint16(atomic.LoadUint32(word(g.tx.used)) >> 16); used != maxResets {
		t.Errorf("%d packets were taken", used)
	}
	for i := range uint16(ringSize) {
		g.post(i)
	}
	for i := range ringSize {
		if h, _, ok := g.packet(10 * time.Second); !ok || h.op != opReset {
			t.Fatalf("answer %d: %+v, %v", i, h, ok)
		}
	}
}

// TestMemoryOfConnectionsIsBounded: windows grow for those who use them, up to a bound for all together.
func TestWindowsGrowWithinABudget(t *testing.T) {
	g := newDriver(t, options{})
	c, h := opened(t, g)
	fill := func() {
		for range 64 {
			g.send(with(answer(h, opData), func(h *header) { h.length = 16 << 10 }), make([]byte, 16<<10))
			if _, err := readFull(c, make([]byte, 16<<10)); err != nil {
				t.Fatal(err)
			}
		}
		for ok := true; ok; {
			_, _, ok = g.packet(20 * time.Millisecond)
		}
	}
	g.d.grown.Store(growBudget - leastWindow)
	fill()
	if c.window != 2*leastWindow {
		t.Errorf("the window is %d where the budget has room for one step", c.window)
	}
	g.d.grown.Store(leastWindow)
	fill()
	if c.window != mostWindow || g.d.grown.Load() != mostWindow-leastWindow {
		t.Errorf("the window is %d, %d are counted", c.window, g.d.grown.Load())
	}
	c.Close()
	g.send(answer(h, opReset), nil)
	eventually(t, "the window is given back", func() bool { return g.d.grown.Load() == 0 })
}

func TestTheGuestMayTakeBackItsPromise(t *testing.T) {
	g := newDriver(t, options{})
	c, h := opened(t, g)
	g.send(with(answer(h, opCreditUpdate), func(h *header) { h.bufAlloc = 0 }), nil)
	time.Sleep(10 * time.Millisecond)
	done := make(chan error, 1)
	go func() { _, err := c.Write([]byte("hello")); done <- err }()
	if h, _, ok := g.packet(10 * time.Second); !ok || h.op != opCreditRequest {
		t.Fatalf("without credit the guest is sent %+v, %v", h, ok)
	}
	if h, _, ok := g.packet(50 * time.Millisecond); ok {
		t.Fatalf("and then %+v", h)
	}
	g.send(with(answer(h, opCreditUpdate), func(h *header) { h.bufAlloc = 5 }), nil)
	if h, body, ok := g.packet(10 * time.Second); !ok || h.op != opData || string(body) != "hello" {
		t.Fatalf("%+v %q, %v", h, body, ok)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestCloseIsAgreedOn: a close is said, answered by a reset, and given up on where no answer comes.
func TestClose(t *testing.T) {
	g := newDriver(t, options{})
	c, h := opened(t, g)
	c.Close()
	got, _, ok := g.packet(10 * time.Second)
	if !ok || got.op != opShutdown || got.flags != shutBoth {
		t.Fatalf("%+v, %v", got, ok)
	}
	if n := g.d.Streams(); n != 1 {
		t.Errorf("%d streams while the guest has not agreed", n)
	}
	g.send(with(answer(h, opData), func(h *header) { h.length = 5 }), []byte("still")) // was under way
	g.send(with(answer(h, opShutdown), func(h *header) { h.flags = shutBoth }), nil)
	if got, _, ok = g.packet(10 * time.Second); !ok || got.op != opReset {
		t.Fatalf("%+v, %v", got, ok)
	}
	eventually(t, "the stream is forgotten", func() bool { return g.d.Streams() == 0 })

	silent, _ := opened(t, g)
	silent.Close()
	if got, _, ok = g.packet(10 * time.Second); !ok || got.op != opShutdown {
		t.Fatalf("%+v, %v", got, ok)
	}
	if got, _, ok = g.packet(closeTimeout + 10*time.Second); !ok || got.op != opReset {
		t.Fatalf("%+v, %v", got, ok)
	}
	eventually(t, "the silent stream is forgotten", func() bool { return g.d.Streams() == 0 })
}

// TestAResetAfterTheEndIsOrderly: Linux resets a stream that it has closed before it was read.
func TestAResetAfterTheEndIsOrderly(t *testing.T) {
	g := newDriver(t, options{})
	for _, ended := range []bool{true, false} {
		c, h := opened(t, g)
		g.send(with(answer(h, opData), func(h *header) { h.length = 4 }), []byte("last"))
		if ended {
			g.send(with(answer(h, opShutdown), func(h *header) { h.flags = shutBoth }), nil)
		}
		g.send(answer(h, opReset), nil)
		eventually(t, "the reset is seen", func() bool { return g.d.Streams() == 0 })
		if err := readString(c, "last"); err != nil {
			t.Errorf("what came before the reset: %v", err)
		}
		_, err := c.Read(make([]byte, 1))
		if ended && err == nil || ended && err.Error() != "EOF" || !ended && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("ended %v: %v", ended, err)
		}
	}
}

// TestHypervisorsMistakes: requests of the hypervisor that make no sense are refused, and it may go on.
func TestHypervisorsMistakes(t *testing.T) {
	g := newDriver(t, options{})
	plain, err := unix.MemfdCreate("unsealed", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	g.must(err)
	defer unix.Close(plain)
	g.must(unix.Ftruncate(plain, 1<<20))
	for name, refused := range map[string]struct {
		request uint32
		payload []byte
		fds     []int
	}{
		"an unknown request":              {77, nil, nil},
		"no payload":                      {setVringNum, nil, nil},
		"ring 2":                          {setVringNum, le32(2, 128), nil},
		"a ring of 3":                     {setVringNum, le32(0, 3), nil},
		"a ring of 0":                     {setVringNum, le32(0, 0), nil},
		"a ring of 65536":                 {setVringNum, le32(0, 65536), nil},
		"features that were not offered":  {setFeatures, number(1 << 5), nil},
		"memory without a file":           {setMemTable, append(le32(1, 0), region64(0, 1<<20, 0, 0)...), nil},
		"memory that is cut":              {setMemTable, le32(1, 0), []int{g.fd}},
		"memory beyond its file":          {setMemTable, append(le32(1, 0), region64(0, memSize+1, 0, 0)...), []int{g.fd}},
		"memory that wraps around":        {setMemTable, append(le32(1, 0), region64(1<<64-4096, 8192, 0, 0)...), []int{g.fd}},
		"memory at an odd offset":         {setMemTable, append(le32(1, 0), region64(0, 4096, 0, 1)...), []int{g.fd}},
		"memory that can be taken away":   {setMemTable, append(le32(1, 0), region64(0, 1<<20, 0, 0)...), []int{plain}},
		"more regions than it may have":   {setMemTable, append(le32(1<<31, 0), region64(0, 1<<20, 0, 0)...), []int{g.fd}},
		"a short address":                 {setVringAddr, le32(0, 0), nil},
		"a ring without a kick":           {setVringKick, number(1 | noFile), nil},
		"a ring outside of memory":        {setVringAddr, append(le32(0, 0), region64(1, 2, 3, 0)...), nil},
		"a ring that is not aligned":      {setVringAddr, append(le32(0, 0), region64(userBase+8, userBase+0x2000, userBase+0x1000, 0)...), nil},
		"a ring that ends outside memory": {setVringAddr, append(le32(0, 0), region64(userBase+memSize-16, userBase, userBase, 0)...), nil},
	} {
		if b := g.request(refused.request, refused.payload, true, refused.fds...); len(b) != 8 || binary.LittleEndian.Uint64(b) != 1 {
			t.Errorf("%s is answered by %x", name, b)
		}
	}
	config := g.request(getConfig, append(le32(4, 8, 0), make([]byte, 8)...), true)
	if len(config) != 8 || binary.LittleEndian.Uint64(config) != 1 {
		t.Errorf("a configuration that is not there: %x", config)
	}
}

func TestAHugeRequestEndsTheDevice(t *testing.T) {
	g := newDriver(t, options{})
	b := le32(setOwner, version, 1<<30)
	if _, err := g.c.Write(b); err != nil {
		t.Fatal(err)
	}
	err := <-g.served
	if err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("%v", err)
	}
	g.served <- nil
}
