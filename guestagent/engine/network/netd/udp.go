//go:build linux

package netd

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	udpIdle    = 90 * time.Second // docker's proxy keeps a flow as long
	udpFlows   = 1024             // of one port; beyond that new clients wait for old ones to go
	udpMaxSize = 65507
)

// flows are the clients of one published UDP port.
type flows struct {
	mu sync.Mutex
	m  map[netip.AddrPort]*net.UDPConn
}

// serveUDP passes datagrams on until c closes; each client has a socket of its own towards the container.
func serveUDP(c *net.UDPConn, target *atomic.Pointer[netip.AddrPort]) {
	f := &flows{m: map[netip.AddrPort]*net.UDPConn{}}
	defer f.closeAll()
	buf := make([]byte, udpMaxSize)
	for {
		n, client, err := c.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if conn := f.get(c, client, *target.Load()); conn != nil {
			_, _ = conn.Write(buf[:n])
		}
	}
}

func (f *flows) get(c *net.UDPConn, client, target netip.AddrPort) *net.UDPConn {
	f.mu.Lock()
	defer f.mu.Unlock()
	if conn := f.m[client]; conn != nil {
		return conn
	}
	if len(f.m) >= udpFlows {
		return nil
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(target))
	if err != nil {
		return nil
	}
	f.m[client] = conn
	go f.back(c, conn, client)
	return conn
}

// back carries the container's answers until it is silent for long.
func (f *flows) back(c, conn *net.UDPConn, client netip.AddrPort) {
	defer func() {
		f.mu.Lock()
		delete(f.m, client)
		f.mu.Unlock()
		conn.Close()
	}()
	buf := make([]byte, udpMaxSize)
	for {
		if conn.SetReadDeadline(time.Now().Add(udpIdle)) != nil {
			return
		}
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.WriteToUDPAddrPort(buf[:n], client); err != nil {
			return
		}
	}
}

func (f *flows) closeAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, conn := range f.m {
		conn.Close()
	}
}
