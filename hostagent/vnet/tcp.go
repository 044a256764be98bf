package vnet

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/berthhq/berth/hostagent/transport"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// errNowhere is what a connection to where the guest may not go fails with.
var errNowhere = errors.New("the guest may not go there")

// connect is one connection of the guest, from its request to its end. The guest has its answer when the host's has
// come: what is refused there is refused here.
func (n *Network) connect(r *tcp.ForwarderRequest) {
	id := r.ID()
	select {
	case n.flows.tcp <- struct{}{}:
		defer func() { <-n.flows.tcp }()
	default:
		r.Complete(true)
		return
	}
	out, err := n.dial(n.life, "tcp", addrPort(id.LocalAddress, id.LocalPort))
	if err != nil {
		r.Complete(true)
		return
	}
	defer out.Close()
	var wq waiter.Queue
	ep, fault := r.CreateEndpoint(&wq)
	r.Complete(fault != nil)
	if fault != nil {
		return
	}
	ep.SocketOptions().SetKeepAlive(true)
	in := gonet.NewTCPConn(&wq, ep)
	defer in.Close()
	defer context.AfterFunc(n.life, func() { _ = in.Close(); _ = out.Close() })()
	half, ok := out.(transport.Half)
	if !ok {
		return
	}
	transport.Splice(in, half)
}

// dial reaches what a destination of the guest's stands for.
func (n *Network) dial(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	err := errNowhere
	for _, t := range n.targets(to) {
		var c net.Conn
		if c, err = n.opt.Dial.DialContext(ctx, network, t.String()); err == nil {
			return c, nil
		}
	}
	return nil, err
}
