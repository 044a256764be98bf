//go:build linux

package vhostvsock

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Requests of the vhost-user protocol that this device is sent.
const (
	getFeatures         = 1
	setFeatures         = 2
	setOwner            = 3
	resetOwner          = 4
	setMemTable         = 5
	setVringNum         = 8
	setVringAddr        = 9
	setVringBase        = 10
	getVringBase        = 11
	setVringKick        = 12
	setVringCall        = 13
	setVringErr         = 14
	getProtocolFeatures = 15
	setProtocolFeatures = 16
	getQueueNum         = 17
	setVringEnable      = 18
	getConfig           = 24
	setConfig           = 25
)

const (
	version       = 1
	flagReply     = 1 << 2
	flagNeedReply = 1 << 3
	noFile        = 1 << 8 // in the argument of kick, call and err: no descriptor comes with it

	messageHeader = 12
	maxMessage    = 4096
	maxFiles      = 8 // regions of memory, as QEMU has them
)

// message is one request: its payload and the files that came with it.
type message struct {
	request, flags uint32
	payload        []byte
	files          []*os.File
}

// u64 is the payload as one number.
func (m *message) u64() uint64 {
	if len(m.payload) < 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(m.payload)
}

// ringState is the payload of requests that name a ring and a number.
func (m *message) ringState() (ring, n uint32) {
	v := m.u64()
	return uint32(v), uint32(v >> 32)
}

// file takes the only file out of the message; nil where there is none.
func (m *message) file() *os.File {
	if len(m.files) != 1 {
		return nil
	}
	f := m.files[0]
	m.files = nil
	return f
}

// close closes the files that nobody took.
func (m *message) close() {
	for _, f := range m.files {
		f.Close()
	}
}

// read receives one request.
func read(c *net.UnixConn) (*message, error) {
	var head [messageHeader]byte
	oob := make([]byte, unix.CmsgSpace(4*maxFiles))
	n, oobn, flags, _, err := c.ReadMsgUnix(head[:], oob)
	m := &message{}
	if oobn > 0 {
		m.files = filesOf(oob[:oobn])
	}
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err == nil && flags&unix.MSG_CTRUNC != 0 {
		err = fmt.Errorf("more than %d files with one request", maxFiles)
	}
	if err == nil {
		_, err = io.ReadFull(c, head[n:])
	}
	if err != nil {
		m.close()
		return nil, err
	}
	m.request, m.flags = binary.LittleEndian.Uint32(head[:]), binary.LittleEndian.Uint32(head[4:])
	length := binary.LittleEndian.Uint32(head[8:])
	if length > maxMessage {
		m.close()
		return nil, fmt.Errorf("request %d has %d bytes", m.request, length)
	}
	m.payload = make([]byte, length)
	if _, err := io.ReadFull(c, m.payload); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// filesOf makes files of received descriptors, not blocking, so that the runtime's poller waits for eventfds.
func filesOf(oob []byte) (files []*os.File) {
	controls, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range controls {
		fds, err := unix.ParseUnixRights(&controls[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			_ = unix.SetNonblock(fd, true)
			files = append(files, os.NewFile(uintptr(fd), "vhost-user"))
		}
	}
	return files
}

func reply(c *net.UnixConn, request uint32, payload []byte) error {
	b := binary.LittleEndian.AppendUint32(nil, request)
	b = binary.LittleEndian.AppendUint32(b, version|flagReply)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	_, err := c.Write(append(b, payload...))
	return err
}

func number(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
