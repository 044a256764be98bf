package hyperv

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"

	"github.com/Microsoft/go-winio"
	"github.com/Microsoft/go-winio/pkg/guid"
	"golang.org/x/sys/windows"

	"github.com/berthhq/berth/hostagent/transport"
)

// hvsock opens a stream to a service of a virtual machine, by Hyper-V's sockets.
func hvsock(ctx context.Context, machine string, port uint32) (transport.Half, error) {
	id, err := guid.FromString(machine)
	if err != nil {
		return nil, err
	}
	return winio.Dial(ctx, &winio.HvsockAddr{VMID: id, ServiceID: winio.VsockServiceID(port)})
}

// streams are those of one machine that are open.
type streams struct {
	mu   sync.Mutex
	open map[*stream]bool
	cut  bool // the machine has ended, or is being killed
}

// stream is one, with errors as transport.Conn has them on every system.
type stream struct {
	transport.Half
	of *streams

	mu     sync.Mutex
	closed bool // this side's sending half
}

func (s *streams) add(c transport.Half) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &stream{Half: c, of: s}
	s.open[st] = true
	return st
}

func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// ending says that what ends from here on is cut, since a socket does not tell.
func (s *streams) ending(is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = is
}

func (s *streams) isCut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cut
}

// end cuts all of them.
func (s *streams) end() {
	s.mu.Lock()
	s.cut = true
	all := s.open
	s.open = map[*stream]bool{}
	s.mu.Unlock()
	for st := range all {
		_ = st.Half.Close()
	}
}

// Read is transport.Conn's.
func (s *stream) Read(b []byte) (int, error) {
	n, err := s.Half.Read(b)
	if err != nil && s.of.isCut() && (errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, winio.ErrFileClosed)) {
		return n, syscall.ECONNRESET
	}
	return n, known(err)
}

// Write is transport.Conn's.
func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return 0, syscall.EPIPE
	}
	n, err := s.Half.Write(b)
	return n, known(err)
}

// CloseWrite ends this side's half.
func (s *stream) CloseWrite() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return known(s.Half.CloseWrite())
}

// Close ends both.
func (s *stream) Close() error {
	s.of.mu.Lock()
	delete(s.of.open, s)
	s.of.mu.Unlock()
	return s.Half.Close()
}

// known makes Windows' errors those that transport names.
func known(err error) error {
	for windowsCode, is := range map[error]error{
		windows.WSAECONNREFUSED: syscall.ECONNREFUSED, windows.WSAECONNRESET: syscall.ECONNRESET,
		windows.WSAECONNABORTED: syscall.ECONNRESET, windows.WSAESHUTDOWN: syscall.EPIPE, windows.ERROR_BROKEN_PIPE: syscall.EPIPE,
	} {
		if errors.Is(err, windowsCode) {
			return is
		}
	}
	return err
}
