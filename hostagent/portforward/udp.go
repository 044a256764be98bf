package portforward

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/internal/agentapi"
)

const (
	// udpIdle is how long a client's stream is kept without a datagram either way, as docker's proxy keeps it.
	udpIdle = 90 * time.Second
	// maxClients bounds the streams of one port: addresses are easily forged. A client beyond it waits for another's end.
	maxClients = 1024
	// waiting bounds the datagrams of a client that the guest has not taken; more are dropped, as UDP may.
	waiting = 64
)

// listenUDP listens and serves until the socket is closed. A stream carries datagrams
// (agentapi.WriteDatagram).
func (f *Forwarder) listenUDP(ctx context.Context, k key, pub *published) error {
	pc, err := net.ListenPacket(k.network(), k.String())
	if err != nil {
		return err
	}
	pub.close = pc
	u := &datagrams{f: f, pub: pub, socket: pc.(*net.UDPConn), clients: map[netip.AddrPort]chan []byte{}}
	pub.parts.Go(func() { u.read(ctx) })
	return nil
}

// datagrams is a UDP port with its clients.
type datagrams struct {
	f      *Forwarder
	pub    *published
	socket *net.UDPConn

	mu      sync.Mutex
	clients map[netip.AddrPort]chan []byte
}

func (u *datagrams) read(ctx context.Context) {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := u.socket.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		select {
		case u.client(ctx, from) <- append([]byte(nil), buf[:n]...):
		default: // too many clients, or this one's guest is slow
		}
	}
}

// client is where a client's datagrams go; nil, on which a send never proceeds, where there are too many.
func (u *datagrams) client(ctx context.Context, from netip.AddrPort) chan<- []byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	if ch := u.clients[from]; ch != nil {
		return ch
	}
	if len(u.clients) >= maxClients {
		return nil
	}
	ch := make(chan []byte, waiting)
	u.clients[from] = ch
	u.pub.parts.Go(func() {
		u.serve(ctx, from, ch)
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.clients, from)
	})
	return ch
}

// serve is one client, until it is idle.
func (u *datagrams) serve(ctx context.Context, from netip.AddrPort, in <-chan []byte) {
	s, err := u.f.dial(ctx, u.pub.port, net.UDPAddrFromAddrPort(from))
	if err != nil {
		return
	}
	defer s.Close()
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	heard := make(chan struct{}, 1)
	over := make(chan struct{})
	u.pub.parts.Go(func() {
		defer close(over)
		u.back(s, from, heard)
	})
	idle := time.NewTimer(udpIdle)
	defer idle.Stop()
	for {
		select {
		case d := <-in:
			if agentapi.WriteDatagram(s, d) != nil {
				return
			}
		case <-heard:
		case <-over:
			return
		case <-idle.C:
			return
		}
		idle.Reset(udpIdle)
	}
}

// back carries the container's datagrams to the client.
func (u *datagrams) back(s transport.Conn, to netip.AddrPort, heard chan<- struct{}) {
	buf := make([]byte, 64<<10)
	for {
		d, err := agentapi.ReadDatagram(s, buf)
		if err != nil {
			return
		}
		if _, err := u.socket.WriteToUDPAddrPort(d, to); err != nil {
			continue // too long for this way, or the client's computer refused the one before
		}
		select {
		case heard <- struct{}{}:
		default:
		}
	}
}
