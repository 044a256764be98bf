//go:build linux

package vhostvsock

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// region is a piece of the guest's memory, mapped here.
type region struct {
	guest, user uint64 // where the guest and the hypervisor see it
	mem         []byte
}

// memory is the guest's memory. It never changes; a new table replaces it while no ring is in use.
type memory struct{ regions []region }

// mapRegion maps size bytes of a file. The file must be one that cannot shrink: memory that is cut off below a mapping
// would end this process by SIGBUS.
func mapRegion(fd int, guest, user, size, offset uint64) (region, error) {
	r := region{guest: guest, user: user}
	page := uint64(os.Getpagesize())
	if size == 0 || size > 1<<46 || offset > 1<<46 || offset%page != 0 || guest+size < guest || user+size < user {
		return r, fmt.Errorf("memory of %#x bytes at %#x, offset %#x, makes no sense", size, guest, offset)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return r, fmt.Errorf("memory at %#x: %w", guest, err)
	}
	if uint64(st.Size) < offset+size {
		return r, fmt.Errorf("memory at %#x: %#x bytes of a file of %#x", guest, offset+size, st.Size)
	}
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || seals&unix.F_SEAL_SHRINK == 0 {
		return r, fmt.Errorf("memory at %#x is not a memfd sealed against shrinking", guest)
	}
	r.mem, err = unix.Mmap(fd, int64(offset), int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		return r, fmt.Errorf("mapping memory at %#x: %w", guest, err)
	}
	return r, nil
}

func (m *memory) unmap() {
	if m == nil {
		return
	}
	for _, r := range m.regions {
		_ = unix.Munmap(r.mem)
	}
	m.regions = nil
}

var errOutside = errors.New("outside of the guest's memory")

// append adds the bytes at a guest address to segs: more than one slice where regions touch.
func (m *memory) append(segs [][]byte, addr, n uint64) ([][]byte, error) {
	for n > 0 {
		part := m.upTo(addr, n)
		if part == nil {
			return nil, fmt.Errorf("%#x+%#x is %w", addr, n, errOutside)
		}
		segs = append(segs, part)
		addr, n = addr+uint64(len(part)), n-uint64(len(part))
	}
	return segs, nil
}

func (m *memory) upTo(addr, n uint64) []byte {
	for i := range m.regions {
		r := &m.regions[i]
		if addr >= r.guest && addr-r.guest < uint64(len(r.mem)) {
			at := addr - r.guest
			end := at + min(n, uint64(len(r.mem))-at)
			return r.mem[at:end:end]
		}
	}
	return nil
}

// one is the bytes at a guest address, in one piece.
func (m *memory) one(addr, n uint64) ([]byte, error) {
	if b := m.upTo(addr, n); uint64(len(b)) == n && n > 0 {
		return b, nil
	}
	return nil, fmt.Errorf("%#x+%#x is %w", addr, n, errOutside)
}

// ring is the bytes at an address of the hypervisor's, which is how it names rings.
func (m *memory) ring(addr, n, align uint64) ([]byte, error) {
	for i := range m.regions {
		r := &m.regions[i]
		if size := uint64(len(r.mem)); addr >= r.user && n <= size && addr-r.user <= size-n {
			at := addr - r.user
			if (r.guest+at)%align != 0 {
				return nil, fmt.Errorf("ring at %#x is not aligned to %d", r.guest+at, align)
			}
			return r.mem[at : at+n : at+n], nil
		}
	}
	return nil, fmt.Errorf("ring at %#x+%#x is %w", addr, n, errOutside)
}
