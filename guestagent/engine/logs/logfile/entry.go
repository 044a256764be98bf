package logfile

import (
	"encoding/json"
	"errors"
	"time"
)

// Stream is what an entry was written to.
type Stream string

// The two streams.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)

// MaxLine is the longest piece of a line that is kept in one entry, in bytes; a longer line is cut into several, as
// docker does.
const MaxLine = 16 << 10

// maxEncoded bounds an entry in the file: every byte quoted as \u00XX, and the rest.
const maxEncoded = 6*MaxLine + 64<<10

// Entry is one line, or a piece of one: a piece that is not the last has no newline at its end.
type Entry struct {
	Time   time.Time
	Stream Stream
	Line   []byte            // with its newline
	Attrs  map[string]string // docker's --log-opt labels, env, tag
}

// Drivers that keep files.
const (
	JSONFile = "json-file"
	Local    = "local"
)

// record is docker's json-file line. The local driver's has the same fields under one letter each.
type record struct {
	Log    string            `json:"log"`
	Stream Stream            `json:"stream"`
	Attrs  map[string]string `json:"attrs,omitempty"`
	Time   time.Time         `json:"time"`
}

type shortRecord struct {
	Log    string            `json:"l"`
	Stream Stream            `json:"s"`
	Attrs  map[string]string `json:"a,omitempty"`
	Nanos  int64             `json:"t"`
}

// encode appends an entry, with its newline, as the driver keeps it.
func encode(dst []byte, driver string, e *Entry) ([]byte, error) {
	var v any
	if driver == Local {
		v = shortRecord{Log: string(e.Line), Stream: e.Stream, Attrs: e.Attrs, Nanos: e.Time.UnixNano()}
	} else {
		v = record{Log: string(e.Line), Stream: e.Stream, Attrs: e.Attrs, Time: e.Time.UTC()}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return dst, err
	}
	dst = append(dst, b...)
	return append(dst, '\n'), nil
}

var errCorrupt = errors.New("not a log entry")

// decode reads one line of a file. Either driver's entries are understood, so that a change of the driver loses none.
func decode(line []byte) (Entry, error) {
	var both struct {
		record
		L string            `json:"l"`
		S Stream            `json:"s"`
		A map[string]string `json:"a"`
		T int64             `json:"t"`
	}
	if err := json.Unmarshal(line, &both); err != nil {
		return Entry{}, errCorrupt
	}
	if both.T != 0 {
		return Entry{Time: time.Unix(0, both.T), Stream: both.S, Line: []byte(both.L), Attrs: both.A}, nil
	}
	if both.Time.IsZero() {
		return Entry{}, errCorrupt
	}
	return Entry{Time: both.Time, Stream: both.Stream, Line: []byte(both.Log), Attrs: both.Attrs}, nil
}
