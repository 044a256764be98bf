package logfile

import (
	"bytes"
	"time"
)

// Ledger is told of what is written, under the log's lock, so that a successor can tell what is in the log.
type Ledger interface {
	// Begin says that length bytes are about to be appended at offset, and that rest bytes of what was added so far are
	// not among them.
	Begin(offset, length int64, rest int)
	// End says that they were, or that the log would not have them.
	End()
}

// Lines cuts what a container writes to one stream into entries. Not safe for concurrent use.
type Lines struct {
	w      *Writer
	stream Stream
	ledger Ledger
	rest   []byte // of a line that has not ended
}

// NewLines makes the splitter of one stream. The ledger may be nil.
func NewLines(w *Writer, s Stream, l Ledger) *Lines { return &Lines{w: w, stream: s, ledger: l} }

// Add takes what was read at one moment and writes the lines that are whole.
func (l *Lines) Add(p []byte, now time.Time) error {
	var out [][]byte
	data := p
	if len(l.rest) > 0 {
		data = append(l.rest, p...)
	}
	for len(data) > 0 {
		i := bytes.IndexByte(data, '\n')
		switch {
		case i >= 0 && i < MaxLine:
			out = append(out, data[:i+1])
			data = data[i+1:]
		case len(data) >= MaxLine:
			out = append(out, data[:MaxLine])
			data = data[MaxLine:]
		default:
			return l.emit(out, data, now)
		}
	}
	return l.emit(out, nil, now)
}

func (l *Lines) emit(out [][]byte, rest []byte, now time.Time) error {
	var err error
	if len(out) > 0 {
		err = l.w.write(l.ledger, len(rest), l.stream, now, out)
	}
	l.rest = append([]byte(nil), rest...)
	return err
}

// Flush writes what is left of a line that never ended.
func (l *Lines) Flush(now time.Time) error {
	if len(l.rest) == 0 {
		return nil
	}
	rest := l.rest
	l.rest = nil
	return l.w.write(l.ledger, 0, l.stream, now, [][]byte{rest})
}
