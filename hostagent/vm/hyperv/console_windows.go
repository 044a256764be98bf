package hyperv

import (
	"bytes"
	"net"
	"os"
	"sync"

	"github.com/Microsoft/go-winio"

	"github.com/berthhq/berth/hostagent/vm/hyperv/document"
	"github.com/berthhq/berth/internal/paths"
)

const (
	// consoleSize bounds each of the two files that keep what the guest has written to its console.
	consoleSize = 1 << 20
	// lastSize is how much of it is looked through for the guest's last words.
	lastSize = 4 << 10
)

// console is the end of COM1: it writes down what the guest says.
type console struct {
	names    paths.Machine
	listener net.Listener
	file     *os.File
	size     int

	mu   sync.Mutex
	last []byte
}

func consolePipe(id string) string { return `\\.\pipe\berth-console-` + id }

// listenConsole makes the pipe, which the virtual machine's own account connects to, and nobody else may.
func listenConsole(dir, id string) (*console, error) {
	user, err := userSID()
	if err != nil {
		return nil, err
	}
	c := &console{names: paths.Machine{Dir: dir}}
	descriptor := document.Descriptor(user) + "(A;;FA;;;" + document.VirtualMachineSID(id) + ")"
	if c.listener, err = winio.ListenPipe(consolePipe(id), &winio.PipeConfig{SecurityDescriptor: descriptor}); err != nil {
		return nil, err
	}
	if err := c.turn(); err != nil {
		c.listener.Close()
		return nil, err
	}
	go c.copy()
	return c, nil
}

// turn begins a new file; the one before is kept, older ones are not.
func (c *console) turn() error {
	if c.file != nil {
		c.file.Close()
	}
	_ = os.Rename(c.names.Console(), c.names.OldConsole()) // there may be none
	f, err := os.OpenFile(c.names.Console(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	c.file, c.size = f, 0
	return err
}

// copy goes on until the listener is closed. A full disk loses what is said and stops nobody.
func (c *console) copy() {
	defer func() { c.file.Close() }()
	buf := make([]byte, 4<<10)
	for {
		from, err := c.listener.Accept()
		if err != nil {
			return
		}
		for {
			n, err := from.Read(buf)
			c.say(buf[:n])
			if err != nil {
				break
			}
		}
		from.Close()
	}
}

func (c *console) say(b []byte) {
	c.mu.Lock()
	c.last = append(c.last, b...)
	c.last = c.last[max(0, len(c.last)-lastSize):]
	c.mu.Unlock()
	if c.size+len(b) > consoleSize && c.turn() != nil {
		return
	}
	c.size += len(b)
	_, _ = c.file.Write(b)
}

// panicked is the line in which the guest's kernel has said why it gave up; empty where it has not.
func (c *console) panicked() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := bytes.LastIndex(c.last, []byte("Kernel panic"))
	if at < 0 {
		return ""
	}
	line, _, _ := bytes.Cut(c.last[at:], []byte("\n"))
	return string(bytes.TrimSpace(line))
}

func (c *console) close() { _ = c.listener.Close() }
