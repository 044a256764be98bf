//go:build linux

package netd

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/engine/network/netdproto"
)

// portKey names one bound socket.
type portKey struct {
	proto string
	ip    netip.Addr
	port  uint16
}

// anyTries is how often a free port is looked for that several addresses have in common.
const anyTries = 32

// bind holds all of the record's ports, keeping those of old, and writes into the record which ones they are.
func (sb *serving) bind(old map[portKey]*holder) error {
	sb.ports = map[portKey]*holder{}
	ports := make([]netdproto.Port, len(sb.rec.Ports))
	copy(ports, sb.rec.Ports)
	sb.rec.Ports = ports
	for i := range ports {
		if err := sb.bindPort(&ports[i], old); err != nil {
			sb.closePorts(old)
			return err
		}
	}
	return nil
}

func (sb *serving) bindPort(p *netdproto.Port, old map[portKey]*holder) error {
	tries := int(max(p.HostPort, p.HostPortEnd)-p.HostPort) + 1
	if p.HostPort == 0 {
		tries = anyTries
	}
	var err error
	for i := range tries {
		port := p.HostPort
		if port != 0 {
			port += uint16(i)
		}
		var bound uint16
		if bound, err = sb.bindAll(*p, port, old); err == nil {
			p.HostPort, p.HostPortEnd = bound, bound
			return nil
		}
		var refusal *netdproto.Error
		if !errors.As(err, &refusal) || refusal.Code != netdproto.CodeTaken {
			return err
		}
	}
	return err
}

// bindAll binds every address to one port; the first address chooses it where port is 0.
func (sb *serving) bindAll(p netdproto.Port, port uint16, old map[portKey]*holder) (uint16, error) {
	var made []portKey
	for _, ip := range p.HostIPs {
		key := portKey{p.Proto, ip, port}
		h := old[key]
		err := error(nil)
		if sb.ports[key] != nil {
			h, err = nil, taken(key)
		} else if h == nil {
			h, err = hold(key, p.Target(ip))
		}
		if err != nil {
			for _, k := range made {
				if sb.ports[k] != old[k] {
					sb.ports[k].close()
				}
				delete(sb.ports, k)
			}
			return 0, err
		}
		port = h.port
		key.port = port
		sb.ports[key] = h
		made = append(made, key)
	}
	return port, nil
}

// closePorts closes all sockets but those that are in keep.
func (sb *serving) closePorts(keep map[portKey]*holder) {
	for key, h := range sb.ports {
		if keep[key] != h {
			h.close()
		}
	}
}

func taken(key portKey) error {
	return &netdproto.Error{Code: netdproto.CodeTaken, Proto: key.proto, Addr: netip.AddrPortFrom(key.ip, key.port),
		Message: fmt.Sprintf("Bind for %s failed: port is already allocated", netip.AddrPortFrom(key.ip, key.port))}
}

// bindError gives the failure of a bind its kind.
func bindError(key portKey, err error) error {
	addr := netip.AddrPortFrom(key.ip, key.port)
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return taken(key)
	case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.ESOCKTNOSUPPORT):
		return &netdproto.Error{Code: netdproto.CodeUnsupported,
			Message: fmt.Sprintf("cannot publish %s/%s: this kernel does not support the protocol", addr, key.proto)}
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return &netdproto.Error{Code: netdproto.CodeInvalid,
			Message: fmt.Sprintf("failed to bind host port for %s/%s: cannot assign requested address", addr, key.proto)}
	default:
		return fmt.Errorf("failed to bind host port for %s/%s: %w", addr, key.proto, err)
	}
}
