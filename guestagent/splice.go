package guestagent

import (
	"io"
	"net"
	"sync"
)

// stream is a connection whose halves end each by itself.
type stream interface {
	net.Conn
	CloseWrite() error
	CloseRead() error
}

// splice carries bytes between two connections until both directions have ended, and closes both. The end of one side's
// stream becomes the end of the other's, no sooner and no later; a side that takes no more makes the other's writes fail.
func splice(a, b stream) {
	var both sync.WaitGroup
	both.Go(func() { carry(a, b) })
	both.Go(func() { carry(b, a) })
	both.Wait()
	_ = a.Close()
	_ = b.Close()
}

// carry is one direction.
func carry(to, from stream) {
	_, err := io.Copy(to, from)
	if err == nil {
		err = to.CloseWrite()
	}
	if err != nil {
		// What from still sends reaches nobody, and what to was promised is not all there: it must not read an end.
		_ = from.CloseRead()
		_ = to.CloseWrite()
	}
}
