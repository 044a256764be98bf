//go:build linux

package netd

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// dialTimeout bounds the way to a container, in the host's own network.
const dialTimeout = 10 * time.Second

// serveTCP passes connections on until l closes. Both halves close by themselves, so a client that has said all it has
// to say still gets its answer.
func serveTCP(l *net.TCPListener, target *atomic.Pointer[netip.AddrPort]) {
	for {
		c, err := l.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors or memory: let some go
			time.Sleep(50 * time.Millisecond)
			continue
		}
		go passTCP(c, *target.Load())
	}
}

func passTCP(client *net.TCPConn, target netip.AddrPort) {
	defer client.Close()
	conn, err := net.DialTimeout("tcp", target.String(), dialTimeout)
	if err != nil {
		_ = client.SetLinger(0) // the container refuses: so do we
		return
	}
	defer conn.Close()
	server := conn.(*net.TCPConn)
	var wg sync.WaitGroup
	wg.Go(func() { pass(server, client) })
	pass(client, server)
	wg.Wait()
}

func pass(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = from.SetLinger(0)
		from.Close()
	}
	_ = to.CloseWrite()
}
