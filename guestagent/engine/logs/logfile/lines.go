package logfile

import (
	"bytes"
	"time"
)

// Lines cuts what a container writes to one stream into entries. Not safe for concurrent use.
type Lines struct {
	w      *Writer
	stream Stream
	rest   []byte // of a line that has not ended
}

// NewLines makes the splitter of one stream.
func NewLines(w *Writer, s Stream) *Lines { return &Lines{w: w, stream: s} }

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
		err = l.w.Write(l.stream, now, out...)
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
	return l.w.Write(l.stream, now, rest)
}
