package logfile

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
)

// headSize is how much of a file's beginning tells it from the other files of a log: an entry with its time.
const headSize = 256

// part is one file of a log, open for reading.
type part struct {
	f    *os.File
	gz   bool
	head []byte
}

// parts opens the files of a log, the oldest first. The current one is opened first of all, so that a rotation
// meanwhile shows a file twice rather than not at all; what is seen twice is dropped.
func parts(cfg Config) (list []*part, err error) {
	defer func() {
		if err != nil {
			closeParts(list)
			list = nil
		}
	}()
	add := func(name string, gz bool) error {
		f, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		p := &part{f: f, gz: gz}
		if p.head, err = p.readHead(); err != nil || p.seenIn(list) {
			f.Close()
			return nil // an empty or unreadable file has no entries
		}
		list = append(list, p)
		return nil
	}
	if err := add(cfg.Path, false); err != nil {
		return list, err
	}
	for i := 1; i < max(cfg.MaxFile, 1); i++ {
		if err := add(rotated(cfg.Path, i), false); err != nil {
			return list, err
		}
		if err := add(rotated(cfg.Path, i)+".gz", true); err != nil {
			return list, err
		}
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list, nil
}

func closeParts(list []*part) {
	for _, p := range list {
		p.f.Close()
	}
}

func (p *part) seenIn(list []*part) bool {
	for _, o := range list {
		if p.sameAs(o.head) {
			return true
		}
	}
	return false
}

func (p *part) sameAs(head []byte) bool {
	n := min(len(head), len(p.head))
	return n > 0 && bytes.Equal(p.head[:n], head[:n])
}

func (p *part) readHead() ([]byte, error) {
	r, err := p.from(0)
	if err != nil {
		return nil, err
	}
	head := make([]byte, headSize)
	n, err := io.ReadFull(r, head)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return head[:n], err
}

// from gives the contents from an offset on, which a compressed file knows only as 0.
func (p *part) from(offset int64) (io.Reader, error) {
	if _, err := p.f.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	if p.gz {
		return gzip.NewReader(p.f)
	}
	return p.f, nil
}

// tailOffset finds where the last n lines of a file begin, and how many it has of them.
func (p *part) tailOffset(n int) (offset int64, lines int, err error) {
	if p.gz {
		return 0, 0, nil // counted by reading
	}
	end, err := p.f.Seek(0, io.SeekEnd)
	if err != nil || n == 0 {
		return end, 0, err
	}
	buf := make([]byte, 64<<10)
	last := end - 1 // the newline that ends the last line begins none
	for at := end; at > 0; {
		size := min(int64(len(buf)), at)
		at -= size
		if _, err := p.f.ReadAt(buf[:size], at); err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, err
		}
		for i := size - 1; i >= 0; i-- {
			if buf[i] != '\n' || at+i == last {
				continue
			}
			if lines++; lines == n {
				return at + i + 1, lines, nil
			}
		}
	}
	if end > 0 {
		lines++
	}
	return 0, lines, nil
}
