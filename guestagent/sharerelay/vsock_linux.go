package sharerelay

import (
	"fmt"
	"net"

	"github.com/mdlayher/vsock"
)

// hostOnly takes connections of the host alone: any process of the guest could dial the port too.
type hostOnly struct{ net.Listener }

// ListenVsock listens on a port for the host, whatever number the guest itself has.
func ListenVsock(port uint32) (net.Listener, error) {
	const anyCID = 1<<32 - 1
	l, err := vsock.ListenContextID(anyCID, port, nil)
	if err != nil {
		return nil, fmt.Errorf("listening on vsock port %d: %w", port, err)
	}
	return hostOnly{l}, nil
}

func (l hostOnly) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if a, ok := c.RemoteAddr().(*vsock.Addr); ok && a.ContextID == vsock.Host {
			return c, nil
		}
		_ = c.Close()
	}
}
