// Package porthold finds the process that has a port. It only reads /proc and is for messages: what it does not find or
// may not see it leaves out.
package porthold

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Find names who listens at addr: "process nginx (pid 12)", or "" if nobody is found.
func Find(proto string, addr netip.AddrPort) string {
	var inodes []string
	for _, file := range []string{proto, proto + "6"} {
		data, err := os.ReadFile("/proc/net/" + file)
		if err == nil {
			inodes = append(inodes, listeners(data, proto, addr)...)
		}
	}
	if len(inodes) == 0 {
		return ""
	}
	pid := owner("/proc", inodes)
	if pid == 0 {
		return ""
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("process %s (pid %d)", strings.TrimSpace(string(comm)), pid)
}

// tcpListen is TCP_LISTEN as /proc/net/tcp writes it.
const tcpListen = "0A"

// listeners reads a table of /proc/net and returns the inodes of the sockets that addr cannot be bound beside.
func listeners(table []byte, proto string, addr netip.AddrPort) (inodes []string) {
	sc := bufio.NewScanner(bytes.NewReader(table))
	for sc.Scan() {
		f := strings.Fields(sc.Text())
		if len(f) < 10 || (proto == "tcp" && f[3] != tcpListen) {
			continue
		}
		local, ok := parseAddr(f[1])
		if !ok || local.Port() != addr.Port() {
			continue
		}
		if local.Addr().IsUnspecified() || addr.Addr().IsUnspecified() || local.Addr() == addr.Addr() {
			inodes = append(inodes, f[9])
		}
	}
	return inodes
}

// parseAddr reads "0100007F:1F90": the address in four-byte words of the machine's order, the port in hexadecimal.
func parseAddr(s string) (netip.AddrPort, bool) {
	host, portHex, ok := strings.Cut(s, ":")
	raw, err := hex.DecodeString(host)
	port, perr := strconv.ParseUint(portHex, 16, 16)
	if !ok || err != nil || perr != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i+4 <= len(raw); i += 4 {
		slices.Reverse(raw[i : i+4])
	}
	a, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(a.Unmap(), uint16(port)), ok
}

// owner finds the first process below proc that has one of the sockets open.
func owner(proc string, inodes []string) int {
	fds, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	if err != nil {
		return 0
	}
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil {
			continue
		}
		inode, ok := strings.CutPrefix(target, "socket:[")
		if !ok || !slices.Contains(inodes, strings.TrimSuffix(inode, "]")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(fd))))
		if err == nil {
			return pid
		}
	}
	return 0
}
