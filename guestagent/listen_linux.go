package guestagent

import (
	"fmt"
	"net"

	"github.com/berthhq/berth/internal/agentapi"
	"github.com/mdlayher/vsock"
	"golang.org/x/sys/unix"
)

// hostListener is a vsock listener that takes the host's streams and no others: AF_VSOCK knows no network namespace, so
// a privileged container could dial it.
type hostListener struct{ *vsock.Listener }

// listen listens on a vsock port under whatever address the hypervisor gives the guest.
func listen(port uint32) (net.Listener, error) {
	l, err := vsock.ListenContextID(unix.VMADDR_CID_ANY, port, nil)
	if err != nil {
		return nil, fmt.Errorf("listening on vsock port %d: %w", port, err)
	}
	return hostListener{l}, nil
}

func (l hostListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if a, ok := c.RemoteAddr().(*vsock.Addr); ok && a.ContextID == agentapi.HostCID {
			return c, nil
		}
		_ = c.Close()
	}
}
