package keep

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
)

// Item is something held: descriptors with a note.
type Item struct {
	Key   string
	Note  json.RawMessage
	Files []*os.File
}

// Client is the supervisor's side. The nil Client holds nothing and is of use in tests. Safe for concurrent use.
type Client struct {
	mu   sync.Mutex // around sends
	conn *proto.Conn

	exitMu sync.Mutex
	exits  map[int]uint32
}

// Open takes the keeper's end from an inherited descriptor, and gives all that an earlier supervisor had it hold.
func Open(f *os.File) (*Client, []Item, error) {
	c, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return nil, nil, fmt.Errorf("the keeper's socket: %w", err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, nil, fmt.Errorf("the keeper's socket is a %T", c)
	}
	k := &Client{conn: proto.NewConn(u), exits: map[int]uint32{}}
	items, err := k.receive()
	if err != nil {
		return nil, nil, fmt.Errorf("what the keeper holds: %w", err)
	}
	go k.listen()
	return k, items, nil
}

func (c *Client) receive() (items []Item, err error) {
	for {
		var m message
		files, err := c.conn.Recv(&m)
		if err != nil {
			return items, err
		}
		switch m.Op {
		case opReady:
			return items, nil
		case opPut:
			items = append(items, Item{Key: m.Key, Note: m.Note, Files: files})
		case opExit:
			c.exits[m.Pid] = m.Status
		}
	}
}

// listen takes exits until the keeper is gone; the supervisor goes on without one.
func (c *Client) listen() {
	for {
		var m message
		files, err := c.conn.Recv(&m)
		closeFiles(files)
		if err != nil {
			return
		}
		if m.Op == opExit {
			c.exitMu.Lock()
			c.exits[m.Pid] = m.Status
			c.exitMu.Unlock()
		}
	}
}

// Put has the keeper hold duplicates of the files.
func (c *Client) Put(key string, note any, files ...*os.File) error {
	if c == nil {
		return nil
	}
	b, err := json.Marshal(note)
	if err != nil {
		return err
	}
	m := message{Op: opPut, Key: key, Note: b}
	return withFDs(files, nil, func(fds []int) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.conn.Send(&m, fds...)
	})
}

// withFDs calls do with the files' descriptors, which stay open and in their mode meanwhile.
func withFDs(files []*os.File, fds []int, do func([]int) error) error {
	if len(files) == 0 {
		return do(fds)
	}
	raw, err := files[0].SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Control(func(fd uintptr) { err = withFDs(files[1:], append(fds, int(fd)), do) })
	if cerr != nil {
		return cerr
	}
	return err
}

// Drop has the keeper close what it holds under the key.
func (c *Client) Drop(key string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn.Send(&message{Op: opDrop, Key: key}) // a keeper that is gone holds nothing
}

// Exit is the wait status of a process that the keeper reaped.
func (c *Client) Exit(pid int) (uint32, bool) {
	if c == nil {
		return 0, false
	}
	c.exitMu.Lock()
	defer c.exitMu.Unlock()
	s, ok := c.exits[pid]
	return s, ok
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
