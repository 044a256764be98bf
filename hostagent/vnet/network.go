package vnet

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/internal/agentapi"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

const (
	nic = 1
	// queued are the frames that wait for the stream; TCP takes the loss of more as a full line.
	queued = 1024
	// maxFlows bounds the connections of TCP, and the flows of UDP, that a guest may have at a time.
	maxFlows = 8192
	// maxDialling bounds those that are being made.
	maxDialling = 1024
	dialWithin  = 30 * time.Second
)

// Dialer makes the host's sockets.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Options are what a Network is made of.
type Options struct {
	// Private says of a port of the host's loopback that the guest may not reach it: the host agent's own. May be nil.
	Private func(port uint16) bool
	// Dial makes connections; nil: the host's own.
	Dial Dialer
	// Resolve looks names up; nil: the host's own.
	Resolve Resolver
}

// Network is one guest's.
type Network struct {
	opt   Options
	stack *stack.Stack
	link  *channel.Endpoint
	names *names
	life  context.Context
	end   context.CancelFunc
	flows struct{ tcp, udp chan struct{} } // an element each
	parts sync.WaitGroup
}

// New makes a network without a guest; Run connects it. It ends with Close.
func New(o Options) (*Network, error) {
	if o.Dial == nil {
		o.Dial = &net.Dialer{Timeout: dialWithin}
	}
	if o.Resolve == nil {
		o.Resolve = &net.Resolver{}
	}
	n := &Network{opt: o, link: channel.New(queued, agentapi.NetworkMTU+ethernetHeader, tcpip.LinkAddress(mac(agentapi.NetworkHostMAC)))}
	n.link.LinkEPCapabilities = stack.CapabilityRXChecksumOffload // a stream loses and changes nothing
	n.link.SupportedGSOKind = stack.HostGSOSupported              // the guest's kernel cuts segments up
	n.life, n.end = context.WithCancel(context.Background())
	n.flows.tcp, n.flows.udp = make(chan struct{}, maxFlows), make(chan struct{}, maxFlows)
	n.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{arp.NewProtocol, ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
	})
	if err := cmp.Or(n.configure(), n.serveNames()); err != nil {
		n.Close()
		return nil, fmt.Errorf("the guest's network: %w", err)
	}
	n.stack.SetTransportProtocolHandler(tcp.ProtocolNumber, tcp.NewForwarder(n.stack, 0, maxDialling, n.connect).HandlePacket)
	n.stack.SetTransportProtocolHandler(udp.ProtocolNumber, udp.NewForwarder(n.stack, n.datagrams).HandlePacket)
	return n, nil
}

// configure makes the gateway, which takes packets to any address for its own.
func (n *Network) configure() error {
	if err := n.stack.CreateNIC(nic, ethernet.New(n.link)); err != nil {
		return fault(err)
	}
	guest := tcpip.LinkAddress(mac(agentapi.NetworkGuestMAC))
	for _, f := range []struct {
		proto          tcpip.NetworkProtocolNumber
		gateway, guest string
		all            tcpip.Subnet
	}{
		{ipv4.ProtocolNumber, agentapi.NetworkGateway4, agentapi.NetworkGuest4, everything(4)},
		{ipv6.ProtocolNumber, agentapi.NetworkGateway6, agentapi.NetworkGuest6, everything(16)},
	} {
		own := tcpip.ProtocolAddress{Protocol: f.proto, AddressWithPrefix: address(f.gateway).WithPrefix()}
		if err := n.stack.AddProtocolAddress(nic, own, stack.AddressProperties{}); err != nil {
			return fault(err)
		}
		if err := n.stack.AddStaticNeighbor(nic, f.proto, address(f.guest), guest); err != nil {
			return fault(err)
		}
		n.stack.AddRoute(tcpip.Route{Destination: f.all, NIC: nic})
	}
	for _, on := range []func(tcpip.NICID, bool) tcpip.Error{n.stack.SetPromiscuousMode, n.stack.SetSpoofing} {
		if err := on(nic, true); err != nil {
			return fault(err)
		}
	}
	return n.tune()
}

// tune gives TCP the buffers that a host on the same computer fills.
func (n *Network) tune() error {
	sack := tcpip.TCPSACKEnabled(true)
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: tcp.MinBufferSize, Default: 1 << 20, Max: 4 << 20}
	send := tcpip.TCPSendBufferSizeRangeOption{Min: tcp.MinBufferSize, Default: 1 << 20, Max: 4 << 20}
	for _, o := range []tcpip.SettableTransportProtocolOption{&sack, &receive, &send} {
		if err := n.stack.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fault(err)
		}
	}
	return nil
}

// Close cuts every connection of the guest and ends what serves it.
func (n *Network) Close() {
	n.end()
	n.stack.Close()
	n.names.close()
	n.parts.Wait()
	n.stack.Destroy()
}

// Run keeps the stream to a guest until ctx ends; what is open outlives a stream that is lost.
func (n *Network) Run(ctx context.Context, guest transport.Dialer) {
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		began := time.Now()
		_ = n.once(ctx, guest) // why it ended is of no use: it is dialled again
		if time.Since(began) > longPause {
			pause = firstPause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// Between two attempts to reach the guest.
const (
	firstPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
)

func fault(err tcpip.Error) error { return fmt.Errorf("%s", err) }

func mac(text string) net.HardwareAddr {
	m, err := net.ParseMAC(text)
	if err != nil {
		panic(err) // a constant of agentapi
	}
	return m
}

func address(text string) tcpip.Address {
	return tcpip.AddrFromSlice(netip.MustParseAddr(text).AsSlice())
}

func everything(bytes int) tcpip.Subnet {
	return tcpip.AddressWithPrefix{Address: tcpip.AddrFromSlice(make([]byte, bytes))}.Subnet()
}
