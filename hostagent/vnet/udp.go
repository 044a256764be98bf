package vnet

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/berthhq/berth/internal/agentapi"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// How long a flow of UDP lives without a datagram: that of a question and its answer, and any other.
const (
	questionIdle = 20 * time.Second
	flowIdle     = 3 * time.Minute
)

// datagrams begins a flow of the guest's: what has the same four of addresses and ports. False: nobody is there.
func (n *Network) datagrams(r *udp.ForwarderRequest) bool {
	id := r.ID()
	to := addrPort(id.LocalAddress, id.LocalPort)
	if len(n.targets(to)) == 0 {
		return false
	}
	select {
	case n.flows.udp <- struct{}{}:
	default:
		return false
	}
	var wq waiter.Queue
	ep, fault := r.CreateEndpoint(&wq)
	if fault != nil {
		<-n.flows.udp
		return true
	}
	n.parts.Go(func() {
		defer func() { <-n.flows.udp }()
		in := gonet.NewUDPConn(&wq, ep)
		defer in.Close()
		out, err := n.dial(n.life, "udp", to)
		if err != nil {
			return
		}
		idle := flowIdle
		if to.Port() == 53 {
			idle = questionIdle
		}
		n.exchange(in, out, idle)
	})
	return true
}

// exchange carries datagrams both ways until none has come for a while.
func (n *Network) exchange(in, out net.Conn, idle time.Duration) {
	end := sync.OnceFunc(func() { _ = in.Close(); _ = out.Close() })
	defer end()
	defer context.AfterFunc(n.life, end)()
	var last atomic.Int64
	last.Store(time.Now().UnixNano())
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		both.Go(func() {
			defer end()
			pass(way[0], way[1], &last, idle)
		})
	}
	both.Wait()
}

// pass is one direction. A datagram that nobody took says nothing of the next.
func pass(from, to net.Conn, last *atomic.Int64, idle time.Duration) {
	buf := make([]byte, agentapi.MaxDatagram)
	for {
		_ = from.SetReadDeadline(time.Unix(0, last.Load()).Add(idle))
		k, err := from.Read(buf)
		if err == nil {
			last.Store(time.Now().UnixNano())
			_, _ = to.Write(buf[:k])
			continue
		}
		late := time.Since(time.Unix(0, last.Load())) >= idle
		if e, ok := err.(net.Error); !ok || late || (!e.Timeout() && !refused(err)) {
			return
		}
	}
}

// refused says that nobody listened to an earlier datagram.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
