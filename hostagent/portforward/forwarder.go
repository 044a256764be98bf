package portforward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/internal/agentapi"
	"github.com/berthhq/berth/internal/porthold"
)

// Forwarder listens for one guest. Its methods may be called from any goroutine.
type Forwarder struct {
	guest transport.Dialer

	mu   sync.Mutex
	open map[key]*published // nil once closed
}

// key is what only one can have.
type key struct {
	proto, address string
	port           uint16
}

// published is a port that is listened on.
type published struct {
	port  agentapi.Port
	close io.Closer
	end   context.CancelFunc
	parts sync.WaitGroup
}

// New forwards to a guest.
func New(guest transport.Dialer) *Forwarder {
	return &Forwarder{guest: guest, open: map[key]*published{}}
}

// maxPorts bounds what a guest can make the host listen on.
const maxPorts = 8192

// dialWithin bounds how long a client waits for the guest to take its connection.
const dialWithin = 30 * time.Second

// Open listens on a port until Close. A port that the same container has already is no error. Errors are
// agentapi's: Taken names the holder, Invalid what makes no sense.
func (f *Forwarder) Open(p agentapi.Port) error {
	k, err := keyOf(p)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == nil {
		return agentapi.Errorf(agentapi.CodeUnavailable, "the virtual machine is going")
	}
	if was := f.open[k]; was != nil {
		if was.port.Container == p.Container {
			return nil
		}
		return agentapi.Errorf(agentapi.CodeTaken, "Bind for %s failed: port is already allocated (container %.12s)", k, was.port.Container)
	}
	if len(f.open) >= maxPorts {
		return agentapi.Errorf(agentapi.CodeFailed, "%s: the host listens on %d ports for this machine already", k, maxPorts)
	}
	ctx, cancel := context.WithCancel(context.Background())
	pub := &published{port: p, end: cancel}
	switch k.proto {
	case "tcp":
		err = f.listenTCP(ctx, k, pub)
	default:
		err = f.listenUDP(ctx, k, pub)
	}
	if err != nil {
		cancel()
		return refusal(k, err)
	}
	f.open[k] = pub
	return nil
}

func keyOf(p agentapi.Port) (key, error) {
	k := key{proto: p.Proto, address: p.Address, port: p.Port}
	if k.address == "" {
		k.address = "0.0.0.0"
	}
	addr, err := netip.ParseAddr(k.address)
	if err != nil || addr.Zone() != "" || p.Port == 0 || (p.Proto != "tcp" && p.Proto != "udp") {
		return k, agentapi.Errorf(agentapi.CodeInvalid, "port %d/%s of address %q makes no sense", p.Port, p.Proto, p.Address)
	}
	k.address = addr.String()
	return k, nil
}

func (k key) String() string { return net.JoinHostPort(k.address, strconv.Itoa(int(k.port))) }

// network is Go's name of it: an address of one family takes no port of the other.
func (k key) network() string {
	if netip.MustParseAddr(k.address).Is4() {
		return k.proto + "4"
	}
	return k.proto + "6"
}

// refusal says why a port cannot be had, and who has it.
func refusal(k key, err error) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			err = errno
		}
		return agentapi.Errorf(agentapi.CodeFailed, "listening on %s/%s of the host: %v", k, k.proto, err)
	}
	by := ""
	if addr, perr := netip.ParseAddrPort(k.String()); perr == nil {
		if holder := porthold.Find(k.proto, addr); holder != "" {
			by = " by " + holder
		}
	}
	return agentapi.Errorf(agentapi.CodeTaken, "failed to bind host port %s/%s: address already in use%s", k, k.proto, by)
}

// Close stops listening on a port; its connections go on until they end. One that is not open is no error.
func (f *Forwarder) Close(p agentapi.Port) error {
	k, err := keyOf(p)
	if err != nil {
		return err
	}
	f.mu.Lock()
	pub := f.open[k]
	if pub != nil && pub.port.Container == p.Container {
		delete(f.open, k)
	} else {
		pub = nil
	}
	f.mu.Unlock()
	if pub != nil {
		_ = pub.close.Close()
	}
	return nil
}

// End closes every port and cuts every connection: the guest is gone.
func (f *Forwarder) End() {
	f.mu.Lock()
	open := f.open
	f.open = nil
	f.mu.Unlock()
	for _, pub := range open {
		_ = pub.close.Close()
		pub.end()
	}
	for _, pub := range open {
		pub.parts.Wait()
	}
}

// Ports are those that are open, in no order.
func (f *Forwarder) Ports() []agentapi.Port {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []agentapi.Port
	for _, pub := range f.open {
		all = append(all, pub.port)
	}
	return all
}

// dial opens the guest's end of a connection.
func (f *Forwarder) dial(ctx context.Context, p agentapi.Port, client net.Addr) (transport.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	s, err := f.guest.Dial(ctx, agentapi.PortForward)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	var answer agentapi.Opened
	err = agentapi.WriteFrame(s, agentapi.Open{Forward: &agentapi.Forward{Port: p, Client: client.String()}})
	if err == nil {
		err = agentapi.ReadFrame(s, &answer)
	}
	if err == nil && answer.Error != nil {
		err = answer.Error
	}
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("the guest's end of %d/%s: %w", p.Port, p.Proto, err)
	}
	return s, nil
}
