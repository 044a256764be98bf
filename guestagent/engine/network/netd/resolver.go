//go:build linux

package netd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/berthhq/berth/guestagent/engine/network/netns"
	"github.com/berthhq/berth/guestagent/engine/network/nft"
)

const (
	// resolverAddr is where containers find their names: docker's address.
	resolverAddr = "127.0.0.11"
	// maxQueries bounds what one container has under way; beyond that its queries wait or, by UDP, are lost.
	maxQueries = 256
	// tcpIdle is how long a TCP connection may be silent.
	tcpIdle = 20 * time.Second
)

// resolver is the name server inside one network namespace.
type resolver struct {
	id    string
	names *names
	udp   *net.UDPConn
	tcp   *net.TCPListener
	slots chan struct{}
	ctx   context.Context
	stop  context.CancelFunc
	ended atomic.Bool
	wg    sync.WaitGroup
}

// listen opens the sockets inside the namespace and starts to answer.
func (n *names) listen(id, path string) (*resolver, error) {
	r := &resolver{id: id, names: n, slots: make(chan struct{}, maxQueries)}
	err := netns.Do(path, func() (err error) {
		ip := net.ParseIP(resolverAddr)
		if r.udp, err = net.ListenUDP("udp4", &net.UDPAddr{IP: ip}); err != nil {
			return err
		}
		if r.tcp, err = net.ListenTCP("tcp4", &net.TCPAddr{IP: ip}); err != nil {
			return err
		}
		return nft.RedirectLocal(netip.MustParseAddr(resolverAddr), 53, port(r.udp.LocalAddr()), port(r.tcp.Addr()))
	})
	if err != nil {
		r.closeSockets()
		return nil, fmt.Errorf("answering names in %s: %w", path, err)
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.wg.Go(r.serveUDP)
	r.wg.Go(r.serveTCP)
	return r, nil
}

func port(a net.Addr) uint16 { return netip.MustParseAddrPort(a.String()).Port() }

func (r *resolver) alive() bool { return !r.ended.Load() }

func (r *resolver) closeSockets() {
	if r.udp != nil {
		r.udp.Close()
	}
	if r.tcp != nil {
		r.tcp.Close()
	}
}

// close ends the answering; queries under way are given up.
func (r *resolver) close() {
	r.ended.Store(true)
	r.stop()
	r.closeSockets()
	r.wg.Wait()
}

func (r *resolver) serveUDP() {
	buf := make([]byte, 4096)
	for {
		n, from, err := r.udp.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		packet := append([]byte(nil), buf[:n]...)
		r.slots <- struct{}{}
		r.wg.Go(func() {
			defer func() { <-r.slots }()
			if reply := r.names.answer(r.ctx, r.id, packet, false); reply != nil {
				_, _ = r.udp.WriteToUDPAddrPort(reply, from)
			}
		})
	}
}

func (r *resolver) serveTCP() {
	for {
		c, err := r.tcp.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		select {
		case r.slots <- struct{}{}:
		case <-r.ctx.Done():
			c.Close()
			return
		}
		r.wg.Go(func() {
			defer func() { <-r.slots }()
			defer context.AfterFunc(r.ctx, func() { c.Close() })()
			defer c.Close()
			for r.answerTCP(c) == nil {
			}
		})
	}
}

// answerTCP handles one message of a connection: two bytes of length, then the message.
func (r *resolver) answerTCP(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(tcpIdle)); err != nil {
		return err
	}
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return err
	}
	packet := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, packet); err != nil {
		return err
	}
	reply := r.names.answer(r.ctx, r.id, packet, true)
	if reply == nil {
		return errors.New("not a query")
	}
	if err := c.SetDeadline(time.Now().Add(tcpIdle)); err != nil {
		return err
	}
	_, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
	return err
}
