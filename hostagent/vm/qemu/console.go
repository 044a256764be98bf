//go:build linux

package qemu

import (
	"bytes"
	"io"
	"os"

	"github.com/berthhq/berth/internal/paths"
)

// consoleSize bounds each of the two files that keep what the guest has written to its console.
const consoleSize = 1 << 20

// console writes down what the guest says, as much as there is room for.
type console struct {
	names paths.Machine
	file  *os.File
	size  int64
	last  tail
}

func openConsole(names paths.Machine) (*console, error) {
	c := &console{names: names}
	return c, c.turn()
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

// copy goes on until the guest is gone. A full disk loses what is said and stops nobody.
func (c *console) copy(from io.ReadCloser) {
	defer from.Close()
	defer func() { c.file.Close() }()
	buf := make([]byte, 4<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			_, _ = c.last.Write(buf[:n])
			if c.size+int64(n) > consoleSize && c.turn() != nil {
				c.file, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			}
			c.size += int64(n)
			_, _ = c.file.Write(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

// panicked is the line in which the guest's kernel has said why it gave up; empty where it has not.
func (c *console) panicked() string {
	c.last.mu.Lock()
	defer c.last.mu.Unlock()
	at := bytes.LastIndex(c.last.b, []byte("Kernel panic"))
	if at < 0 {
		return ""
	}
	line, _, _ := bytes.Cut(c.last.b[at:], []byte("\n"))
	return string(bytes.TrimSpace(line))
}
