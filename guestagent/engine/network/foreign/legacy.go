//go:build linux

package foreign

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Socket options of ip_tables and ip6_tables, the same in both.
const (
	soGetInfo    = 64
	soGetEntries = 65
)

// Sizes of the kernel's structures.
const (
	tableName   = 32
	infoSize    = 84 // ipt_getinfo
	entriesHead = 40 // ipt_get_entries before the table
)

// maxTable bounds what is read; the largest tables known are tens of megabytes.
const maxTable = 256 << 20

// legacyHooks reads the forward hooks of iptables without nftables, where its table exists: asking for one that does
// not would make it.
func legacyHooks() ([]hook, error) {
	var hooks []hook
	for _, l := range []layout{layout4, layout6} {
		names, err := os.ReadFile(l.list)
		if errors.Is(err, os.ErrNotExist) || (err == nil && !slices.Contains(strings.Fields(string(names)), "filter")) {
			continue
		}
		if err != nil {
			return nil, err
		}
		h, err := legacyHook(l)
		if err != nil {
			return nil, fmt.Errorf("reading table filter of %s: %w", l.list, err)
		}
		hooks = append(hooks, h)
	}
	return hooks, nil
}

func legacyHook(l layout) (hook, error) {
	fd, err := unix.Socket(l.domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return hook{}, err
	}
	defer unix.Close(fd)
	for range 5 { // its size may change between the two questions
		info := make([]byte, infoSize)
		copy(info, "filter")
		if err = getsockopt(fd, l.level, soGetInfo, info); err != nil {
			return hook{}, err
		}
		size := binary.NativeEndian.Uint32(info[80:])
		if size > maxTable {
			return hook{}, fmt.Errorf("it has %d bytes", size)
		}
		table := make([]byte, entriesHead+int(size))
		copy(table, "filter")
		binary.NativeEndian.PutUint32(table[tableName:], size)
		if err = getsockopt(fd, l.level, soGetEntries, table); errors.Is(err, unix.EAGAIN) {
			continue
		}
		if err != nil {
			return hook{}, err
		}
		forward := binary.NativeEndian.Uint32(info[tableName+4+4*hookForward:])
		return l.hook(table[entriesHead:], forward)
	}
	return hook{}, err
}

// getsockopt reads an option whose question and answer are in buf.
func getsockopt(fd, level, opt int, buf []byte) error {
	size := uint32(len(buf))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(opt),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
