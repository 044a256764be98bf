//go:build linux || darwin

package keeper

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/hostagent/vm"
)

// protocolVersion changes when an older agent or keeper could misunderstand the other: a keeper outlives an upgrade.
const protocolVersion = 1

// maxLine bounds a request and a reply.
const maxLine = 64 << 10

// spec is what a keeper is started with, on its standard input.
type spec struct {
	Version int       `json:"version"`
	Config  vm.Config `json:"config"`
	Initrd  bool      `json:"initrd"` // whether the second file is one
}

type request struct {
	Version int    `json:"version"`
	Verb    string `json:"verb"`
	Port    uint32 `json:"port,omitempty"`
	Stream  uint64 `json:"stream,omitempty"`
}

type reply struct {
	Error  string     `json:"error,omitempty"`
	Kind   kind       `json:"kind,omitempty"`
	Stream uint64     `json:"stream,omitempty"`
	Clean  bool       `json:"clean,omitempty"`
	Status *vm.Status `json:"status,omitempty"`
	Exit   *vm.Exit   `json:"exit,omitempty"`
}

// kind is what an error is, so that it can be told apart at the other end.
type kind string

func kinds() map[kind]error {
	return map[kind]error{
		"not-running": vm.ErrNotRunning, "running": vm.ErrRunning, "refused": syscall.ECONNREFUSED,
		"reset": syscall.ECONNRESET, "too-many": syscall.EMFILE, "canceled": context.Canceled,
	}
}

// refusal makes an error a reply.
func refusal(err error) reply {
	r := reply{Error: err.Error()}
	for k, is := range kinds() {
		if errors.Is(err, is) {
			r.Kind = k
		}
	}
	return r
}

// err makes a reply the error that it was.
func (r reply) err() error {
	if r.Error == "" {
		return nil
	}
	return &remote{text: r.Error, is: kinds()[r.Kind]}
}

// remote is an error of the keeper's: its text is complete.
type remote struct {
	text string
	is   error
}

func (e *remote) Error() string { return e.text }
func (e *remote) Unwrap() error { return e.is }

func send(c net.Conn, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = c.Write(append(b, '\n'))
	return err
}

// receive reads a line. The other side sends nothing behind it before it was answered, or has answered for good, but
// for a stream's first bytes: so it is looked at before it is taken.
func receive(c *net.UnixConn, v any) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var line []byte
	buf := make([]byte, 512)
	for {
		var n int
		var readErr error
		err := raw.Read(func(fd uintptr) bool {
			if n, _, readErr = unix.Recvfrom(int(fd), buf, unix.MSG_PEEK); readErr != nil || n == 0 {
				return readErr != unix.EAGAIN
			}
			if end := bytes.IndexByte(buf[:n], '\n'); end >= 0 {
				n = end + 1
			}
			n, readErr = unix.Read(int(fd), buf[:n])
			return true
		})
		if err = errors.Join(err, readErr); err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		if line = append(line, buf[:n]...); line[len(line)-1] == '\n' {
			return json.Unmarshal(line, v)
		}
		if len(line) > maxLine {
			return fmt.Errorf("a line of more than %d bytes", maxLine)
		}
	}
}
