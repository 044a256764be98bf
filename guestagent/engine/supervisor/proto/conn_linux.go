package proto

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// MaxFrame bounds one message: a spec with a megabyte of environment fits, a peer gone mad does not.
const MaxFrame = 16 << 20

// maxFDs bounds the descriptors beside one frame (the kernel's own limit, SCM_MAX_FD, is 253).
const maxFDs = 64

// Conn frames messages over a unix stream socket: four bytes of length, big endian, then JSON. Descriptors are sent
// with the length, so a receiver holds them before it reads the message. Not safe for concurrent use.
type Conn struct{ c *net.UnixConn }

// NewConn wraps a connected unix stream socket.
func NewConn(c *net.UnixConn) *Conn { return &Conn{c} }

// Dial connects to a supervisor's socket.
func Dial(path string) (*Conn, error) {
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return NewConn(c), nil
}

// Close ends the connection.
func (c *Conn) Close() error { return c.c.Close() }

// Unix gives the socket itself, for deadlines and credentials.
func (c *Conn) Unix() *net.UnixConn { return c.c }

// Send writes one message with descriptors beside it. The caller keeps its own copies of them.
func (c *Conn) Send(msg any, fds ...int) error {
	body, err := json.Marshal(msg)
	if err != nil {
		return err
	}
	if len(body) > MaxFrame || len(fds) > maxFDs {
		return fmt.Errorf("message of %d bytes with %d descriptors is over the limit", len(body), len(fds))
	}
	frame := make([]byte, 4, 4+len(body))
	binary.BigEndian.PutUint32(frame, uint32(len(body)))
	frame = append(frame, body...)
	if len(fds) == 0 {
		_, err = c.c.Write(frame)
		return err
	}
	n, _, err := c.c.WriteMsgUnix(frame, unix.UnixRights(fds...), nil)
	if err != nil {
		return err
	}
	if n < len(frame) {
		_, err = c.c.Write(frame[n:])
	}
	return err
}

// Recv reads one message into msg and returns the descriptors that came with it, close-on-exec and owned by the
// caller. io.EOF means the peer closed between messages.
func (c *Conn) Recv(msg any) (files []*os.File, err error) {
	defer func() {
		if err != nil {
			closeAll(files)
			files = nil
		}
	}()
	var head [4]byte
	for got := 0; got < len(head); {
		oob := make([]byte, unix.CmsgSpace(maxFDs*4))
		n, oobn, flags, _, err := c.c.ReadMsgUnix(head[got:], oob)
		more, perr := parseRights(oob[:oobn])
		files = append(files, more...)
		if err == nil {
			err = perr
		}
		if err == nil && flags&unix.MSG_CTRUNC != 0 {
			err = errors.New("descriptors were cut off")
		}
		if err == nil && n == 0 {
			err = io.EOF
		}
		if err != nil {
			if got > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return files, err
		}
		got += n
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > MaxFrame {
		return files, fmt.Errorf("message of %d bytes is over the limit", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(c.c, body); err != nil {
		return files, io.ErrUnexpectedEOF
	}
	return files, json.Unmarshal(body, msg)
}

func parseRights(oob []byte) (files []*os.File, err error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			continue // not SCM_RIGHTS
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
