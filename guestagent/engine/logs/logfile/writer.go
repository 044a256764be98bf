package logfile

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Config says where a log is kept and how much of it.
type Config struct {
	Driver   string // JSONFile or Local
	Path     string // the current file; older ones get .1, .2 …, and .gz where compressed
	MaxSize  int64  // bytes of a file before it is rotated; 0 or less: no limit
	MaxFile  int    // files kept, the current one included; less than 1 counts as 1
	Compress bool
	Attrs    map[string]string
}

// Writer appends to a log. Safe for concurrent use. What one Write is given reaches the file in one write(2), so a
// reader, and a machine that crashes, see whole entries.
type Writer struct {
	cfg Config

	mu   sync.Mutex
	f    *os.File
	size int64
	buf  []byte
}

// Open opens a log for appending and creates it where it is missing, mode 0640. An entry that an earlier writer left
// half written is ended by a newline, so that it spoils no other.
func Open(cfg Config) (*Writer, error) {
	w := &Writer{cfg: cfg}
	if err := w.open(); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *Writer) open() error {
	f, err := os.OpenFile(w.cfg.Path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("opening log: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("opening log: %w", err)
	}
	w.f, w.size = f, st.Size()
	if w.size > 0 {
		var last [1]byte
		if _, err := f.ReadAt(last[:], w.size-1); err == nil && last[0] != '\n' {
			n, _ := f.Write([]byte("\n"))
			w.size += int64(n)
		}
	}
	return nil
}

// Write appends lines, each with its newline unless it is a piece of a longer one, all of one moment.
func (w *Writer) Write(s Stream, t time.Time, lines ...[]byte) error {
	return w.write(nil, 0, s, t, lines)
}

func (w *Writer) write(ledger Ledger, rest int, s Stream, t time.Time, lines [][]byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f == nil {
		return os.ErrClosed
	}
	w.buf = w.buf[:0]
	for _, l := range lines {
		var err error
		if w.buf, err = encode(w.buf, w.cfg.Driver, &Entry{Time: t, Stream: s, Line: l, Attrs: w.cfg.Attrs}); err != nil {
			return err
		}
	}
	if w.cfg.MaxSize > 0 && w.size > 0 && w.size+int64(len(w.buf)) > w.cfg.MaxSize {
		if err := w.rotate(); err != nil {
			return err
		}
	}
	if ledger != nil {
		ledger.Begin(w.size, int64(len(w.buf)), rest)
		defer ledger.End()
	}
	n, err := w.f.Write(w.buf)
	w.size += int64(n)
	if cap(w.buf) > 256<<10 {
		w.buf = nil
	}
	return err
}

// Close closes the file. It may be called more than once.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f == nil {
		return nil
	}
	err := w.f.Close()
	w.f = nil
	return err
}

// rotate moves every file up by one and begins a new one. The oldest is dropped.
func (w *Writer) rotate() error {
	if w.cfg.MaxFile <= 1 {
		// docker truncates; a reader that follows begins again at the start.
		if err := w.f.Truncate(0); err != nil {
			return fmt.Errorf("rotating log: %w", err)
		}
		w.size = 0
		return nil
	}
	if err := w.shift(); err != nil {
		return fmt.Errorf("rotating log: %w", err)
	}
	old := w.f
	if err := w.open(); err != nil {
		w.f = old // goes on in the old file rather than lose what comes
		return err
	}
	old.Close()
	if w.cfg.Compress {
		return compress(rotated(w.cfg.Path, 1))
	}
	return nil
}

func (w *Writer) shift() error {
	suffixes := [...]string{"", ".gz"}
	for _, suffix := range suffixes {
		os.Remove(rotated(w.cfg.Path, w.cfg.MaxFile-1) + suffix)
	}
	for i := w.cfg.MaxFile - 2; i >= 1; i-- {
		for _, suffix := range suffixes {
			err := os.Rename(rotated(w.cfg.Path, i)+suffix, rotated(w.cfg.Path, i+1)+suffix)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return os.Rename(w.cfg.Path, rotated(w.cfg.Path, 1))
}

func rotated(path string, n int) string { return fmt.Sprintf("%s.%d", path, n) }

// compress replaces a file by its gzip; the one is there until the other is whole.
func compress(path string) error {
	in, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("compressing log: %w", err)
	}
	defer in.Close()
	tmp := path + ".tmp"
	out, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("compressing log: %w", err)
	}
	z := gzip.NewWriter(out)
	_, err = io.Copy(z, in)
	if err = errors.Join(err, z.Close(), out.Close()); err == nil {
		err = os.Rename(tmp, path+".gz")
	}
	if err != nil {
		os.Remove(tmp)
		return fmt.Errorf("compressing log: %w", err)
	}
	return os.Remove(path)
}
