// Package console writes down what a guest says on its console, for the drivers of package vm: the newest part of it, and
// the line in which a kernel has said why it gave up.
package console

import (
	"bytes"
	"io"
	"os"
	"sync"

	"github.com/berthhq/berth/internal/paths"
)

const (
	size     = 1 << 20 // of each of the two files
	tailSize = 2 << 10 // of what is searched for the kernel's last words
)

// Console is the log of one machine's console.
type Console struct {
	names   paths.Machine
	panics  func() // may be nil
	file    *os.File
	written int64

	mu   sync.Mutex
	tail []byte
	told bool
}

// Open begins a new log; that of the run before is kept beside it. panicked is called once, when the guest's kernel says
// that it has panicked; it may be nil.
func Open(names paths.Machine, panicked func()) (*Console, error) {
	c := &Console{names: names, panics: panicked}
	return c, c.turn()
}

// turn begins a new file; the one before is kept, older ones are not.
func (c *Console) turn() error {
	if c.file != nil {
		c.file.Close()
	}
	_ = os.Rename(c.names.Console(), c.names.OldConsole()) // there may be none
	f, err := os.OpenFile(c.names.Console(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	c.file, c.written = f, 0
	return err
}

// Close lets go of a log that Copy was never called of.
func (c *Console) Close() error { return c.file.Close() }

// Copy goes on until the guest is gone, and closes both. A full disk loses what is said and stops nobody.
func (c *Console) Copy(from io.ReadCloser) {
	defer from.Close()
	defer func() { c.file.Close() }()
	buf := make([]byte, 4<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if c.written+int64(n) > size && c.turn() != nil {
				c.file, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			}
			c.written += int64(n)
			_, _ = c.file.Write(buf[:n])
			c.remember(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

func (c *Console) remember(said []byte) {
	c.mu.Lock()
	c.tail = append(c.tail, said...)
	if over := len(c.tail) - tailSize; over > 0 {
		c.tail = append(c.tail[:0], c.tail[over:]...)
	}
	tell := c.panics != nil && !c.told && lastWords(c.tail) != ""
	c.told = c.told || tell
	c.mu.Unlock()
	if tell {
		c.panics()
	}
}

// Panicked is the line in which the guest's kernel has said why it gave up; empty where it has not.
func (c *Console) Panicked() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return lastWords(c.tail)
}

func lastWords(tail []byte) string {
	at := bytes.LastIndex(tail, []byte("Kernel panic - not syncing"))
	if at < 0 {
		return ""
	}
	line, _, _ := bytes.Cut(tail[at:], []byte("\n"))
	return string(bytes.TrimSpace(line))
}
