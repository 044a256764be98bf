package tap

import (
	"bufio"
	"context"
	"net"
	"sync"

	"github.com/berthhq/berth/internal/agentapi"
)

// Device is the TAP.
type Device struct {
	file interface {
		Read([]byte) (int, error)
		Write([]byte) (int, error)
	}

	mu     sync.Mutex
	stream net.Conn // the one in use, or nil
}

// Open makes the interface and brings it up with its addresses and routes.
func Open() (*Device, error) {
	f, err := create()
	if err != nil {
		return nil, err
	}
	if err := configure(); err != nil {
		f.Close()
		return nil, err
	}
	return &Device{file: f}, nil
}

// Serve takes the host's streams until the listener is closed. The newest is the one in use: a host agent that was
// started anew may have left one behind.
func (d *Device) Serve(ctx context.Context, l net.Listener) {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	go d.send()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go d.receive(c)
	}
}

// receive brings the host's frames to the interface until the stream ends.
func (d *Device) receive(c net.Conn) {
	defer d.drop(c)
	var open agentapi.Open
	if agentapi.ReadFrame(c, &open) != nil || agentapi.WriteFrame(c, agentapi.Opened{}) != nil {
		return
	}
	d.mu.Lock()
	old := d.stream
	d.stream = c
	d.mu.Unlock()
	if old != nil {
		_ = old.Close()
	}
	r, buf := bufio.NewReaderSize(c, 2*agentapi.MaxNetFrame), make([]byte, agentapi.MaxNetFrame)
	for {
		frame, err := agentapi.ReadNetFrame(r, buf)
		if err != nil {
			return
		}
		_, _ = d.file.Write(frame) // one that the kernel does not take is lost, as on any cable
	}
}

func (d *Device) drop(c net.Conn) {
	d.mu.Lock()
	if d.stream == c {
		d.stream = nil
	}
	d.mu.Unlock()
	_ = c.Close()
}

// send brings the interface's frames to the stream in use until the interface is gone.
func (d *Device) send() {
	buf := make([]byte, agentapi.NetPrefix+agentapi.MaxNetFrame)
	for {
		n, err := d.file.Read(buf[agentapi.NetPrefix:])
		if err != nil {
			return
		}
		d.mu.Lock()
		c := d.stream
		d.mu.Unlock()
		if c == nil {
			continue
		}
		agentapi.PutNetPrefix(buf, n)
		if _, err := c.Write(buf[:agentapi.NetPrefix+n]); err != nil {
			d.drop(c)
		}
	}
}
