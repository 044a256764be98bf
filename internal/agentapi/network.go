package agentapi

import (
	"encoding/binary"
	"fmt"
	"io"
)

// The network between the guest's TAP and the host. Both ends know its addresses beforehand: there is nothing to be
// asked for at boot, and what a container has resolved stays right when a host agent comes anew.
const (
	NetworkMTU      = 1500 // that of containers; large segments cross whole, see ReadNetFrame
	NetworkGuestMAC = "02:62:65:72:74:03"
	NetworkHostMAC  = "02:62:65:72:74:01"

	NetworkGuest4   = "192.168.65.3"
	NetworkGateway4 = "192.168.65.1"   // answers DNS
	NetworkHost4    = "192.168.65.254" // host.docker.internal: the host's loopback

	NetworkGuest6   = "fd62:6572:7468::3"
	NetworkGateway6 = "fd62:6572:7468::1"
	NetworkHost6    = "fd62:6572:7468::fe"
)

// Sizes of a frame, in bytes.
const (
	NetHeader   = 10 // struct virtio_net_hdr, little endian, as a TAP with IFF_VNET_HDR has it before each frame
	netEthernet = 14
	// MaxNetFrame is the largest: the header, and an Ethernet frame around an IP packet of full size.
	MaxNetFrame = NetHeader + netEthernet + 1<<16 - 1
	minNetFrame = NetHeader + netEthernet
	// NetPrefix is the length that stands before each on the stream, big endian.
	NetPrefix = 4
)

// PutNetPrefix writes the prefix of a frame of n bytes into buf.
func PutNetPrefix(buf []byte, n int) { binary.BigEndian.PutUint32(buf, uint32(n)) }

// ReadNetFrame reads the next frame of a stream of PortNetwork into buf, which has room for MaxNetFrame bytes, and gives
// its part of it: the header and the Ethernet frame, each there in full. A frame may be a TCP segment far larger than the
// MTU, which whoever sends it on cuts up as its header says. io.EOF means that the peer has ended the stream between two.
func ReadNetFrame(r io.Reader, buf []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, buf[:NetPrefix]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(buf)
	if n < minNetFrame || n > MaxNetFrame {
		return nil, fmt.Errorf("network frame of %d bytes is outside %d to %d", n, minNetFrame, MaxNetFrame)
	}
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return buf[:n], nil
}
