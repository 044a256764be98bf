//go:build linux

package vhostvsock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Flags of a descriptor, and of the rings.
const (
	descNext     = 1
	descWrite    = 2
	descIndirect = 4
	descLen      = 16

	noInterrupt = 1 // in avail.flags: the guest wants no call
	noNotify    = 1 // in used.flags: we want no kick

	maxRing = 1024 // entries; QEMU's device has 128
)

// vring is a split virtqueue seen from the device. Its owner's mutex guards it.
type vring struct {
	mem               *memory
	num               uint16
	desc, avail, used []byte
	last              uint16 // of avail: the next to take
	usedIdx           uint16 // the next to fill
	published         uint16 // what the guest has been shown of usedIdx
	eventIdx          bool
	indirect          bool
	running           bool
	broken            error // the guest's mistake; nothing goes on

	kick *os.File // eventfd, waited for by the runtime's poller
	call *os.File // eventfd
	done chan struct{}
}

// chain is a buffer of the guest's: slices of its memory, which it may change at any time.
type chain struct {
	head uint16
	segs [][]byte
}

// setNum takes the ring's size, which the addresses depend on.
func (v *vring) setNum(n uint32) error {
	if n == 0 || n > maxRing || n&(n-1) != 0 {
		return fmt.Errorf("a ring of %d entries", n)
	}
	v.num, v.desc, v.avail, v.used = uint16(n), nil, nil, nil
	return nil
}

// setAddr finds the three parts in memory. Linux aligns the available ring to 16 bytes, the specification to 2: what is
// not aligned to 4 is refused, since its index is read as part of a word.
func (v *vring) setAddr(desc, used, avail uint64) (err error) {
	n := uint64(v.num)
	if v.mem == nil || n == 0 {
		return errors.New("a ring's address comes before memory and size")
	}
	if v.desc, err = v.mem.ring(desc, descLen*n, descLen); err != nil {
		return err
	}
	if v.used, err = v.mem.ring(used, 6+8*n, 4); err != nil {
		return err
	}
	if v.avail, err = v.mem.ring(avail, 6+2*n, 4); err != nil {
		return err
	}
	v.usedIdx = uint16(atomic.LoadUint32(word(v.used)) >> 16)
	v.published = v.usedIdx
	return nil
}

// word is flags and index of a ring as one little-endian number.
func word(b []byte) *uint32 { return (*uint32)(unsafe.Pointer(&b[0])) }

func (v *vring) usable() bool { return v.running && v.broken == nil && v.used != nil }

// next takes a chain whose buffers are all for writing or all for reading. The slice of segs is used for it.
func (v *vring) next(write bool, segs [][]byte) (c chain, ok bool, err error) {
	ahead := uint16(atomic.LoadUint32(word(v.avail))>>16) - v.last
	if ahead == 0 {
		return c, false, nil
	}
	if ahead > v.num {
		return c, false, v.fail(fmt.Errorf("%d buffers in a ring of %d", ahead, v.num))
	}
	c.head = binary.LittleEndian.Uint16(v.avail[4+2*(v.last%v.num):])
	c.segs, err = v.walk(c.head, write, segs)
	if err != nil {
		return c, false, v.fail(err)
	}
	v.last++
	return c, true, nil
}

// back returns the chain taken last.
func (v *vring) back() { v.last-- }

func (v *vring) fail(err error) error {
	v.broken = err
	return err
}

// walk follows a chain. Each descriptor is read once: the guest may change it meanwhile.
func (v *vring) walk(head uint16, write bool, segs [][]byte) ([][]byte, error) {
	table, entries, at := v.desc, int(v.num), int(head)
	inside := false
	for steps := 0; ; steps++ {
		if at >= entries {
			return nil, fmt.Errorf("descriptor %d of %d", at, entries)
		}
		if steps > entries {
			return nil, errors.New("descriptors go in a circle")
		}
		d := table[descLen*at : descLen*(at+1)]
		addr, n := binary.LittleEndian.Uint64(d), binary.LittleEndian.Uint32(d[8:])
		flags, next := binary.LittleEndian.Uint16(d[12:]), binary.LittleEndian.Uint16(d[14:])
		var err error
		if flags&descIndirect != 0 {
			if inside || flags&descNext != 0 || !v.indirect || n == 0 || n%descLen != 0 || n > descLen*maxRing {
				return nil, fmt.Errorf("indirect descriptor of %d bytes where none may be", n)
			}
			if table, err = v.mem.one(addr, uint64(n)); err != nil {
				return nil, fmt.Errorf("table of descriptors: %w", err)
			}
			entries, at, inside, steps = int(n/descLen), 0, true, -1
			continue
		}
		if flags&descWrite != 0 != write {
			return nil, errors.New("descriptor of the wrong direction")
		}
		if segs, err = v.mem.append(segs, addr, uint64(n)); err != nil {
			return nil, fmt.Errorf("descriptor: %w", err)
		}
		if flags&descNext == 0 {
			return segs, nil
		}
		at = int(next)
	}
}

// give returns a chain with n bytes written; the guest learns of it by publish.
func (v *vring) give(head uint16, n int) {
	e := v.used[4+8*int(v.usedIdx%v.num):]
	binary.LittleEndian.PutUint32(e, uint32(head))
	binary.LittleEndian.PutUint32(e[4:], uint32(n))
	v.usedIdx++
}

// publish shows the guest what was given, and calls it where it wants that.
func (v *vring) publish() {
	old := v.published
	if old == v.usedIdx {
		return
	}
	flags := atomic.LoadUint32(word(v.used)) & 0xffff
	atomic.SwapUint32(word(v.used), uint32(v.usedIdx)<<16|flags) // a full barrier: the index before what the guest wants
	v.published = v.usedIdx
	if v.eventIdx {
		event := v.wantedAt()
		if v.usedIdx-event-1 >= v.usedIdx-old {
			return
		}
	} else if atomic.LoadUint32(word(v.avail))&noInterrupt != 0 {
		return
	}
	if v.call != nil {
		signal(v.call)
	}
}

// wantedAt is avail.used_event: the entry after which the guest wants to be called. Two bytes behind the ring's entries,
// read by themselves since a word could reach over the end of memory.
func (v *vring) wantedAt() uint16 {
	return binary.LittleEndian.Uint16(v.avail[4+2*int(v.num):])
}

// quiet asks for no kicks while entries are taken anyway.
func (v *vring) quiet() {
	if !v.eventIdx { // with event indices the last one stays behind, which is as good
		atomic.SwapUint32(word(v.used), uint32(v.published)<<16|noNotify)
	}
}

// arm asks for a kick at the next entry. It is true where an entry came meanwhile, which may bring no kick.
func (v *vring) arm() bool {
	flags := uint32(0)
	if v.eventIdx {
		binary.LittleEndian.PutUint16(v.used[4+8*int(v.num):], v.last)
		flags = atomic.LoadUint32(word(v.used)) & 0xffff
	}
	atomic.SwapUint32(word(v.used), uint32(v.published)<<16|flags)
	return uint16(atomic.LoadUint32(word(v.avail))>>16) != v.last
}

// signal adds one to an eventfd. One that is full is signalled already.
func signal(f *os.File) {
	one := [8]byte{1}
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _, _ = unix.Write(int(fd), one[:]) })
}
