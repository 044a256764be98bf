package vnet_test

import (
	"bufio"
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/hostagent/vnet"
	"github.com/berthhq/berth/internal/agentapi"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// guest is the other end: a stack with the guest's addresses whose frames travel on the host's newest stream.
type guest struct {
	t     testing.TB
	stack *stack.Stack
	link  *channel.Endpoint

	mu     sync.Mutex
	stream net.Conn
	taken  chan struct{} // an element a stream
}

func newGuest(t testing.TB) *guest {
	t.Helper()
	mac := func(s string) tcpip.LinkAddress { m, _ := net.ParseMAC(s); return tcpip.LinkAddress(m) }
	g := &guest{t: t, taken: make(chan struct{}, 8), link: channel.New(512, agentapi.NetworkMTU+14, mac(agentapi.NetworkGuestMAC))}
	g.link.LinkEPCapabilities = stack.CapabilityRXChecksumOffload
	g.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{arp.NewProtocol, ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
	})
	g.must(g.stack.CreateNIC(1, ethernet.New(g.link)))
	for _, f := range []struct {
		proto       tcpip.NetworkProtocolNumber
		own, router string
		size        int
	}{{ipv4.ProtocolNumber, agentapi.NetworkGuest4, agentapi.NetworkGateway4, 4}, {ipv6.ProtocolNumber, agentapi.NetworkGuest6, agentapi.NetworkGateway6, 16}} {
		g.must(g.stack.AddProtocolAddress(1, tcpip.ProtocolAddress{Protocol: f.proto, AddressWithPrefix: at(f.own).WithPrefix()}, stack.AddressProperties{}))
		g.must(g.stack.AddStaticNeighbor(1, f.proto, at(f.router), mac(agentapi.NetworkHostMAC)))
		g.stack.AddRoute(tcpip.Route{Destination: tcpip.AddressWithPrefix{Address: tcpip.AddrFromSlice(make([]byte, f.size))}.Subnet(), Gateway: at(f.router), NIC: 1})
	}
	ctx, cancel := context.WithCancel(context.Background())
	var out sync.WaitGroup
	out.Go(func() { g.send(ctx) })
	t.Cleanup(func() { g.cut(); cancel(); out.Wait(); g.stack.Destroy() })
	return g
}

func at(text string) tcpip.Address {
	ip := net.ParseIP(text)
	if v4 := ip.To4(); v4 != nil {
		return tcpip.AddrFromSlice(v4)
	}
	return tcpip.AddrFromSlice(ip)
}

func (g *guest) must(err tcpip.Error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *guest) send(ctx context.Context) {
	for {
		pkt := g.link.ReadContext(ctx)
		if pkt == nil {
			return
		}
		frame := make([]byte, agentapi.NetPrefix+agentapi.NetHeader)
		for _, part := range pkt.AsSlices() {
			frame = append(frame, part...)
		}
		pkt.DecRef()
		agentapi.PutNetPrefix(frame, len(frame)-agentapi.NetPrefix)
		g.mu.Lock()
		c := g.stream
		g.mu.Unlock()
		if c != nil {
			_, _ = c.Write(frame)
		}
	}
}

// cut takes the stream away.
func (g *guest) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stream != nil {
		_ = g.stream.Close()
		g.stream = nil
	}
}

type halves struct{ *net.TCPConn }

// Dial is the host's way to the guest.
func (g *guest) Dial(context.Context, uint32) (transport.Conn, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	here, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return nil, err
	}
	there, err := l.Accept()
	if err != nil {
		return nil, err
	}
	go g.take(there)
	return halves{here.(*net.TCPConn)}, nil
}

func (g *guest) take(c net.Conn) {
	defer c.Close()
	var open agentapi.Open
	if agentapi.ReadFrame(c, &open) != nil || agentapi.WriteFrame(c, agentapi.Opened{}) != nil {
		return
	}
	g.mu.Lock()
	g.stream = c
	g.mu.Unlock()
	g.taken <- struct{}{}
	r, buf := bufio.NewReader(c), make([]byte, agentapi.MaxNetFrame)
	for {
		frame, err := agentapi.ReadNetFrame(r, buf)
		if err != nil {
			return
		}
		pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(frame[agentapi.NetHeader:])})
		g.link.InjectInbound(0, pkt)
		pkt.DecRef()
	}
}

// connected is a guest on a network.
func connected(t testing.TB, o vnet.Options) *guest {
	t.Helper()
	g := newGuest(t)
	n, err := vnet.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { n.Run(ctx, g) })
	t.Cleanup(func() { cancel(); run.Wait(); n.Close() })
	g.linked()
	return g
}

func (g *guest) linked() {
	g.t.Helper()
	select {
	case <-g.taken:
	case <-time.After(30 * time.Second):
		g.t.Fatal("the host opens no stream")
	}
}

func proto(address string) tcpip.NetworkProtocolNumber {
	if net.ParseIP(address).To4() != nil {
		return ipv4.ProtocolNumber
	}
	return ipv6.ProtocolNumber
}

// tcp and udp dial as a container does.
func (g *guest) tcp(address string, port int) (*gonet.TCPConn, error) {
	ctx, cancel := context.WithTimeout(g.t.Context(), 30*time.Second)
	defer cancel()
	return gonet.DialContextTCP(ctx, g.stack, tcpip.FullAddress{NIC: 1, Addr: at(address), Port: uint16(port)}, proto(address))
}

func (g *guest) udp(address string, port int) net.Conn {
	g.t.Helper()
	c, err := gonet.DialUDP(g.stack, nil, &tcpip.FullAddress{NIC: 1, Addr: at(address), Port: uint16(port)}, proto(address))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

// raw sends a frame as it is.
func (g *guest) raw(t *testing.T, frame []byte) {
	t.Helper()
	out := make([]byte, agentapi.NetPrefix, agentapi.NetPrefix+len(frame))
	agentapi.PutNetPrefix(out, len(frame))
	g.mu.Lock()
	c := g.stream
	g.mu.Unlock()
	if c == nil {
		t.Fatal("the host has ended the stream")
	}
	if _, err := c.Write(append(out, frame...)); err != nil {
		t.Fatal(err)
	}
}
