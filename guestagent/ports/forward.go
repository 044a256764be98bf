package ports

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/berthhq/berth/internal/agentapi"
)

const (
	openWithin = 10 * time.Second // for the host to say whose connection a stream is
	dialWithin = 10 * time.Second // for a container to take it
)

// Forward takes the host's streams until the listener is closed. join carries bytes between two connections until both
// directions have ended, and closes both.
func (b *Broker) Forward(ctx context.Context, l net.Listener, join func(host, container net.Conn)) {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go b.forward(ctx, c, join)
	}
}

// forward is one connection. The host learns whether there is a container behind it before it sends anything.
func (b *Broker) forward(ctx context.Context, host net.Conn, join func(host, container net.Conn)) {
	_ = host.SetDeadline(time.Now().Add(openWithin))
	var o agentapi.Open
	if agentapi.ReadFrame(host, &o) != nil {
		host.Close()
		return
	}
	c, err := b.dial(ctx, o.Forward)
	if answer := agentapi.WriteFrame(host, opened(err)); err != nil || answer != nil {
		if c != nil {
			c.Close()
		}
		host.Close()
		return
	}
	_ = host.SetDeadline(time.Time{})
	if o.Forward.Port.Proto == "udp" {
		datagrams(host, c)
		return
	}
	join(host, c)
}

func opened(err error) agentapi.Opened {
	if err == nil {
		return agentapi.Opened{}
	}
	return agentapi.Opened{Error: agentapi.Errorf(agentapi.CodeUnavailable, "%s", err.Error())}
}

// dial connects to the container that a port is of.
func (b *Broker) dial(ctx context.Context, f *agentapi.Forward) (net.Conn, error) {
	if f == nil {
		return nil, agentapi.Errorf(agentapi.CodeInvalid, "a stream that says nothing of its port")
	}
	to, ok := b.target(f.Port)
	if !ok {
		return nil, agentapi.Errorf(agentapi.CodeUnavailable, "port %d/%s is not published", f.Port.Port, f.Port.Proto)
	}
	d := net.Dialer{Timeout: dialWithin}
	return d.DialContext(ctx, f.Port.Proto, to.String())
}

// datagrams carries the datagrams of one client, until the host ends the stream or the container's port is gone.
func datagrams(host, container net.Conn) {
	var both sync.WaitGroup
	both.Go(func() {
		defer container.Close()
		buf := make([]byte, agentapi.MaxDatagram)
		for {
			d, err := agentapi.ReadDatagram(host, buf)
			if err != nil {
				return
			}
			_, _ = container.Write(d) // refused: the next one may find somebody
		}
	})
	both.Go(func() {
		defer host.Close()
		buf := make([]byte, agentapi.MaxDatagram)
		for {
			n, err := container.Read(buf)
			if err != nil {
				if refused(err) {
					continue
				}
				return
			}
			if agentapi.WriteDatagram(host, buf[:n]) != nil {
				return
			}
		}
	})
	both.Wait()
}

// refused says that nobody listened to an earlier datagram (ICMP), which ends nothing.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
