// Package guest is what the guest of a contract test does: a few services, each on a port of its own. The fake machine
// calls it in process, a real one runs it as its /init.
package guest

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"strings"
)

// The ports and what they do.
const (
	Echo   = 7  // sends back what it reads, and ends when it has read to the end
	Bye    = 8  // sends "bye\n" and closes
	Sink   = 9  // reads to the end, then answers with the length and the SHA-256
	Off    = 10 // powers off
	Crash  = 11 // panics
	Source = 12 // reads a line with a number, sends so many bytes of Pattern, then closes
	Stall  = 13 // accepts, then neither reads nor writes until the stream fails
	Boot   = 14 // answers with a line that is another at every boot
	Count  = 15 // reads to the end, then answers with the length: Sink without a digest, which costs more than the link
	Zeros  = 16 // Source without a pattern
	Closed = 99 // nothing listens
)

// Ports are those on which something listens.
func Ports() []uint32 {
	return []uint32{Echo, Bye, Sink, Off, Crash, Source, Stall, Boot, Count, Zeros}
}

// Conn is a stream with two halves.
type Conn interface {
	net.Conn
	CloseWrite() error
}

// Machine is what the services do to the machine itself.
type Machine interface {
	Off()
	Crash()
	BootID() string
}

// Handle serves one stream and closes it. It says whether the port is one of Ports.
func Handle(port uint32, c Conn, m Machine) bool {
	defer c.Close()
	switch port {
	case Echo:
		if _, err := io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c}); err == nil {
			_ = c.CloseWrite()
		}
	case Bye:
		_, _ = io.WriteString(c, "bye\n")
	case Sink:
		sum := sha256.New()
		n, err := io.Copy(sum, c)
		if err == nil {
			_, _ = fmt.Fprintf(c, "%d %x\n", n, sum.Sum(nil))
		}
	case Off:
		m.Off()
	case Crash:
		m.Crash()
	case Source:
		source(c, &Pattern{})
	case Zeros:
		source(c, zeros{})
	case Count:
		if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 64<<10)); err == nil {
			_, _ = fmt.Fprintln(c, n)
		}
	case Stall:
		select {}
	case Boot:
		_, _ = fmt.Fprintln(c, m.BootID())
	default:
		return false
	}
	return true
}

func source(c Conn, from io.Reader) {
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return
	}
	var n int64
	if _, err = fmt.Sscan(strings.TrimSpace(line), &n); err == nil {
		_, _ = io.CopyBuffer(struct{ io.Writer }{c}, io.LimitReader(from, n), make([]byte, 64<<10))
	}
}

// zeros is an endless stream of whatever is there.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// Pattern is an endless stream of bytes of which each depends on its place.
type Pattern struct{ at uint32 }

func (p *Pattern) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(p.at ^ p.at>>8 ^ p.at>>16*31)
		p.at++
	}
	return len(b), nil
}
