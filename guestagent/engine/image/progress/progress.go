// Package progress writes docker's progress stream: newline-separated JSON messages that a client draws as one line a
// layer. It knows nothing of images; a slow or gone client never blocks the work for longer than one write.
package progress

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/moby/moby/api/types/jsonstream"
)

// interval is how often the counters of one line are sent at most.
const interval = 100 * time.Millisecond

// Writer is the stream of one operation. It is safe for use by several goroutines; after the first failed write
// nothing more is written.
type Writer struct {
	mu   sync.Mutex
	w    io.Writer
	gone bool
	last map[string]time.Time // line -> when counters were last sent
}

// New makes a stream on w; a nil w swallows everything.
func New(w io.Writer) *Writer {
	if w == nil {
		w = io.Discard
	}
	return &Writer{w: w, last: map[string]time.Time{}}
}

// Line sets the state of one line, such as a layer; id may be empty for a message of its own.
func (p *Writer) Line(id, status string) { p.send(message{Status: status, ID: id}) }

// State is Line with an empty progress detail, as docker sends for layers.
func (p *Writer) State(id, status string) {
	p.send(message{Status: status, ID: id, Progress: &jsonstream.Progress{}})
}

// Stream writes text that a client prints as it is.
func (p *Writer) Stream(text string) { p.send(message{Stream: text}) }

// Aux sends structured data beside the texts.
func (p *Writer) Aux(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		return
	}
	raw := json.RawMessage(b)
	p.send(message{Aux: &raw})
}

// Count sends how far a line is, in bytes; most calls within a tenth of a second are dropped.
func (p *Writer) Count(id, status string, current, total int64) {
	now := time.Now()
	p.mu.Lock()
	if current < total && now.Sub(p.last[id]) < interval {
		p.mu.Unlock()
		return
	}
	p.last[id] = now
	p.mu.Unlock()
	p.send(message{Status: status, ID: id, Progress: &jsonstream.Progress{Current: current, Total: total}})
}

// message is jsonstream.Message in the order of keys that docker sends.
type message struct {
	Stream   string               `json:"stream,omitempty"`
	Status   string               `json:"status,omitempty"`
	Progress *jsonstream.Progress `json:"progressDetail,omitempty"`
	ID       string               `json:"id,omitempty"`
	Aux      *json.RawMessage     `json:"aux,omitempty"`
}

func (p *Writer) send(m message) {
	b, err := json.Marshal(m)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return
	}
	if _, err := p.w.Write(append(b, '\n')); err != nil {
		p.gone = true
	}
}
