//go:build linux

package vhostvsock

import "encoding/binary"

// Operations of a packet.
const (
	opRequest = 1 + iota
	opResponse
	opReset
	opShutdown
	opData
	opCreditUpdate
	opCreditRequest
)

// Flags of opShutdown.
const (
	shutReceive = 1 << iota // receives no more
	shutSend                // sends no more
	shutBoth    = shutReceive | shutSend
)

const (
	headerLen  = 44
	maxPayload = 64 << 10 // of one packet, as Linux has it
	typeStream = 1
)

// header is struct virtio_vsock_hdr, all of it little endian.
type header struct {
	srcCID, dstCID   uint64
	srcPort, dstPort uint32
	length           uint32
	kind, op         uint16
	flags            uint32
	bufAlloc, fwdCnt uint32
}

func (h *header) put(b *[headerLen]byte) {
	le := binary.LittleEndian
	le.PutUint64(b[0:], h.srcCID)
	le.PutUint64(b[8:], h.dstCID)
	le.PutUint32(b[16:], h.srcPort)
	le.PutUint32(b[20:], h.dstPort)
	le.PutUint32(b[24:], h.length)
	le.PutUint16(b[28:], h.kind)
	le.PutUint16(b[30:], h.op)
	le.PutUint32(b[32:], h.flags)
	le.PutUint32(b[36:], h.bufAlloc)
	le.PutUint32(b[40:], h.fwdCnt)
}

func (h *header) get(b *[headerLen]byte) {
	le := binary.LittleEndian
	h.srcCID, h.dstCID = le.Uint64(b[0:]), le.Uint64(b[8:])
	h.srcPort, h.dstPort, h.length = le.Uint32(b[16:]), le.Uint32(b[20:]), le.Uint32(b[24:])
	h.kind, h.op, h.flags = le.Uint16(b[28:]), le.Uint16(b[30:]), le.Uint32(b[32:])
	h.bufAlloc, h.fwdCnt = le.Uint32(b[36:]), le.Uint32(b[40:])
}

// gather copies from the front of segs into b and returns what is left of segs; short says that there was too little.
func gather(b []byte, segs [][]byte) (rest [][]byte, short bool) {
	for len(b) > 0 {
		if len(segs) == 0 {
			return nil, true
		}
		n := copy(b, segs[0])
		b = b[n:]
		if segs[0] = segs[0][n:]; len(segs[0]) == 0 {
			segs = segs[1:]
		}
	}
	return segs, false
}

// scatter copies b to the front of segs, which have room for it, and returns what is left of segs.
func scatter(segs [][]byte, b []byte) [][]byte {
	for len(b) > 0 {
		n := copy(segs[0], b)
		b = b[n:]
		if segs[0] = segs[0][n:]; len(segs[0]) == 0 {
			segs = segs[1:]
		}
	}
	return segs
}

// size is the number of bytes in segs.
func size(segs [][]byte) (n uint64) {
	for _, s := range segs {
		n += uint64(len(s))
	}
	return n
}
