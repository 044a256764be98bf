//go:build linux

package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// monitor speaks QMP, QEMU's machine protocol: a line of JSON each way, answers told apart by their ids.
type monitor struct {
	c      io.ReadWriteCloser
	events func(name string, data json.RawMessage)

	mu      sync.Mutex
	next    int
	waiting map[int]chan answer
	err     error // why it ended
	greeted chan struct{}
}

type answer struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
}

type line struct {
	answer
	Greeting *json.RawMessage `json:"QMP"`
	Event    string           `json:"event"`
	Data     json.RawMessage  `json:"data"`
	ID       *int             `json:"id"`
}

var errMonitorGone = errors.New("QEMU's monitor is gone")

// newMonitor reads until the connection ends; events are told in order, on one goroutine.
func newMonitor(c io.ReadWriteCloser, events func(string, json.RawMessage)) *monitor {
	m := &monitor{c: c, events: events, waiting: map[int]chan answer{}, greeted: make(chan struct{})}
	go m.read()
	return m
}

func (m *monitor) read() {
	lines := bufio.NewScanner(m.c)
	lines.Buffer(nil, 1<<20)
	greeted := false
	for lines.Scan() {
		var l line
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			break
		}
		switch {
		case l.Greeting != nil && !greeted:
			greeted = true
			close(m.greeted)
		case l.Event != "":
			m.events(l.Event, l.Data)
		case l.ID != nil:
			m.mu.Lock()
			got := m.waiting[*l.ID]
			delete(m.waiting, *l.ID)
			m.mu.Unlock()
			if got != nil {
				got <- l.answer
			}
		}
	}
	m.c.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = errMonitorGone
	for _, got := range m.waiting {
		close(got)
	}
	m.waiting = nil
	if !greeted {
		close(m.greeted)
	}
}

// open waits for the greeting and leaves negotiation.
func (m *monitor) open(ctx context.Context) error {
	select {
	case <-m.greeted:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return m.do(ctx, "qmp_capabilities")
}

// do executes a command without arguments, whose result nobody needs.
func (m *monitor) do(ctx context.Context, command string) error {
	got := make(chan answer, 1)
	m.mu.Lock()
	if m.err != nil {
		m.mu.Unlock()
		return m.err
	}
	m.next++
	id := m.next
	m.waiting[id] = got
	_, err := fmt.Fprintf(m.c, `{"execute":%q,"id":%d}`+"\n", command, id)
	m.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", command, errMonitorGone)
	}
	select {
	case a, ok := <-got:
		switch {
		case !ok:
			return fmt.Errorf("%s: %w", command, errMonitorGone)
		case a.Error != nil:
			return fmt.Errorf("QEMU refuses %s: %s", command, a.Error.Desc)
		}
		return nil
	case <-ctx.Done():
		m.mu.Lock()
		delete(m.waiting, id)
		m.mu.Unlock()
		return fmt.Errorf("%s: %w", command, context.Cause(ctx))
	}
}
