//go:build linux

package build

import (
	"net"
	"testing"
	"time"
)

func TestASessionEndsWithItsClient(t *testing.T) {
	near, far := net.Pipe()
	left := 0
	c := &clientConn{near, func() { left++ }}
	go far.Write([]byte("x"))
	if _, err := c.Read(make([]byte, 1)); err != nil || left != 0 {
		t.Errorf("a byte: %v, left %d", err, left)
	}
	near.SetReadDeadline(time.Now().Add(-time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || left != 0 {
		t.Errorf("a deadline: %v, left %d", err, left)
	}
	near.SetReadDeadline(time.Time{})
	far.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil || left != 1 {
		t.Errorf("the end: %v, left %d", err, left)
	}
}
