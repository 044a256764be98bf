package vnet

import (
	"bufio"
	"context"
	"encoding/binary"
	"sync"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/internal/agentapi"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

const (
	ethernetHeader = header.EthernetMinimumSize
	// batch is how many bytes of frames are written to the stream at a time, where so many wait.
	batch = 256 << 10
)

// once is one stream from its opening to its end.
func (n *Network) once(ctx context.Context, guest transport.Dialer) error {
	c, err := guest.Dial(ctx, agentapi.PortNetwork)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	defer c.Close()
	var opened agentapi.Opened
	if err := agentapi.WriteFrame(c, agentapi.Open{}); err != nil {
		return err
	}
	if err := agentapi.ReadFrame(c, &opened); err != nil {
		return err
	}
	if opened.Error != nil {
		return opened.Error
	}
	n.link.Drain() // what was meant for a stream before
	var out sync.WaitGroup
	out.Go(func() {
		defer cancel()
		n.send(ctx, c)
	})
	err = n.receive(c)
	cancel()
	_ = c.Close() // lets send go, which may wait for a guest that takes nothing
	out.Wait()
	return err
}

// receive gives the guest's frames to the stack.
func (n *Network) receive(c transport.Conn) error {
	r, buf := bufio.NewReaderSize(c, batch), make([]byte, agentapi.MaxNetFrame)
	for {
		frame, err := agentapi.ReadNetFrame(r, buf)
		if err != nil {
			return err
		}
		n.inject(frame[agentapi.NetHeader:]) // whether a checksum is missing is of no interest: none is looked at
	}
}

// inject gives one Ethernet frame to the stack, unless it is for somebody else.
func (n *Network) inject(frame []byte) {
	to := header.Ethernet(frame).DestinationAddress()
	if to != n.link.LinkAddress() && !header.IsMulticastEthernetAddress(to) && to != header.EthernetBroadcastAddress {
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(frame)})
	n.link.InjectInbound(0, pkt) // the Ethernet header says which protocol
	pkt.DecRef()
}

// send writes the stack's frames to the stream, as many at a time as wait.
func (n *Network) send(ctx context.Context, c transport.Conn) {
	buf := make([]byte, 0, batch+agentapi.MaxNetFrame)
	for {
		pkt := n.link.ReadContext(ctx)
		if pkt == nil {
			return
		}
		for buf = buf[:0]; pkt != nil; pkt = n.link.Read() {
			buf = appendFrame(buf, pkt)
			pkt.DecRef()
			if len(buf) > batch {
				break
			}
		}
		if _, err := c.Write(buf); err != nil {
			return
		}
	}
}

// Of struct virtio_net_hdr.
const (
	needsChecksum = 1
	segmentsTCP4  = 1
	segmentsTCP6  = 4
)

// appendFrame writes a packet as agentapi.ReadNetFrame reads it.
func appendFrame(buf []byte, pkt *stack.PacketBuffer) []byte {
	start := len(buf)
	buf = append(buf, make([]byte, agentapi.NetPrefix+agentapi.NetHeader)...)
	if g := pkt.GSOOptions; g.Type != stack.GSONone {
		h := buf[start+agentapi.NetPrefix:]
		if g.NeedsCsum {
			h[0] = needsChecksum
			binary.LittleEndian.PutUint16(h[6:], ethernetHeader+g.L3HdrLen)
			binary.LittleEndian.PutUint16(h[8:], g.CsumOffset)
		}
		binary.LittleEndian.PutUint16(h[2:], uint16(pkt.HeaderSize()))
		if pkt.Data().Size() > int(g.MSS) {
			h[1] = segmentsTCP4
			if g.Type == stack.GSOTCPv6 {
				h[1] = segmentsTCP6
			}
			binary.LittleEndian.PutUint16(h[4:], g.MSS)
		}
	}
	for _, part := range pkt.AsSlices() {
		buf = append(buf, part...)
	}
	agentapi.PutNetPrefix(buf[start:], len(buf)-start-agentapi.NetPrefix)
	return buf
}
