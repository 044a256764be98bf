package transport

import (
	"io"
	"net"
	"sync"
)

// Half is a connection each half of which ends by itself: of a unix socket, of TCP, or a stream to the guest.
type Half interface {
	net.Conn
	CloseWrite() error
}

// Splice carries bytes both ways until both have ended; closing the two is the caller's. The end of one side's stream
// becomes the end of the other's; where one is cut, so is the other.
func Splice(a, b Half) {
	var both sync.WaitGroup
	both.Go(func() { carry(a, b) })
	both.Go(func() { carry(b, a) })
	both.Wait()
}

func carry(to, from Half) {
	_, err := io.Copy(to, from)
	if err == nil {
		err = to.CloseWrite()
	}
	if err != nil { // what is cut on one side must not look finished on the other
		_ = to.Close()
		_ = from.Close()
	}
}
