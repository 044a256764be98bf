//go:build linux

package qemu

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// qemuSide is a monitor's other end, which answers what the test tells it.
func qemuSide(t *testing.T) (*monitor, net.Conn, chan string) {
	t.Helper()
	ours, theirs := net.Pipe()
	events := make(chan string, 8)
	m := newMonitor(ours, func(name string, data json.RawMessage) { events <- name + " " + string(data) })
	t.Cleanup(func() { theirs.Close(); ours.Close() })
	return m, theirs, events
}

func TestMonitor(t *testing.T) {
	m, q, events := qemuSide(t)
	go func() {
		io.WriteString(q, `{"QMP": {"version": {}, "capabilities": []}}`+"\r\n")
		for d := json.NewDecoder(q); ; {
			var r struct {
				Execute string
				ID      int
			}
			if d.Decode(&r) != nil {
				return
			}
			if r.Execute == "stop" {
				io.WriteString(q, `{"event":"STOP","data":{},"timestamp":{"seconds":1}}`+"\n")
			}
			answer := map[string]any{"id": r.ID, "return": map[string]any{}}
			if r.Execute == "quit" {
				answer = map[string]any{"id": r.ID, "error": map[string]any{"class": "GenericError", "desc": "not now"}}
			}
			if r.Execute != "silence" {
				json.NewEncoder(q).Encode(answer)
			}
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := m.open(ctx); err != nil {
		t.Fatal(err)
	}
	if err := m.do(ctx, "stop"); err != nil || <-events != "STOP {}" {
		t.Errorf("stop: %v", err)
	}
	if err := m.do(ctx, "quit"); err == nil || !strings.Contains(err.Error(), "QEMU refuses quit: not now") {
		t.Errorf("quit: %v", err)
	}
	short, done := context.WithTimeout(ctx, 20*time.Millisecond)
	defer done()
	if err := m.do(short, "silence"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
	waiting := make(chan error)
	go func() { waiting <- m.do(ctx, "silence") }()
	time.Sleep(10 * time.Millisecond)
	q.Close()
	if err := <-waiting; !errors.Is(err, errMonitorGone) {
		t.Errorf("QEMU ends meanwhile: %v", err)
	}
	if err := m.do(ctx, "stop"); !errors.Is(err, errMonitorGone) {
		t.Errorf("QEMU has ended: %v", err)
	}
}

func TestMonitorOfSomethingElse(t *testing.T) {
	for _, said := range []string{"", "hello\n", `{"event":"X"}` + "\nnonsense\n"} {
		m, q, _ := qemuSide(t)
		go func() { io.WriteString(q, said); q.Close() }()
		if err := m.open(t.Context()); !errors.Is(err, errMonitorGone) {
			t.Errorf("%q: %v", said, err)
		}
	}
}

func TestLastWords(t *testing.T) {
	var s tail
	io.WriteString(&s, strings.Repeat("noise\n", 1000))
	io.WriteString(&s, "qemu-system-x86_64: it does not work\n")
	if got := s.line(); got != "qemu-system-x86_64: it does not work" || len(s.b) > tailSize {
		t.Errorf("%q of %d bytes", got, len(s.b))
	}
}
