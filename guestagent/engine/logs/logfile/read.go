package logfile

import (
	"bufio"
	"context"
	"errors"
	"io"
	"time"
)

// ReadOptions select entries. Zero times mean no limit.
type ReadOptions struct {
	Since, Until time.Time
	Tail         int  // last entries to begin with; less than 0 is all
	Follow       bool // go on with what is written until Done is closed or ctx ends
	// Done, if not nil, tells that nothing more will be written: following ends when all is read.
	Done <-chan struct{}
	// Settled, if not nil, is called whenever all that has been written is read, before more is waited for.
	Settled func()
}

// errStop ends a reading that has all it wants.
var errStop = errors.New("enough")

// Read gives the entries of a log to each, in order. An entry that cannot be read is skipped. A log that does not
// exist is empty. Errors: those of each, of reading, and of ctx.
func Read(ctx context.Context, cfg Config, o ReadOptions, each func(Entry) error) error {
	r := &reader{cfg: cfg, o: o, each: each}
	defer r.close()
	err := r.stored(ctx)
	if err == nil && o.Follow {
		err = r.follow(ctx)
	}
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// reader is the state of one reading: the current file, and how far it is read.
type reader struct {
	cfg  Config
	o    ReadOptions
	each func(Entry) error

	cur    *part
	offset int64
}

func (r *reader) close() {
	if r.cur != nil {
		r.cur.f.Close()
	}
}

// stored reads what is there now, and keeps the newest file open.
func (r *reader) stored(ctx context.Context) error {
	list, err := parts(r.cfg)
	if err != nil || len(list) == 0 {
		return err
	}
	defer func() { closeParts(list) }()
	first, offset, skip, err := r.begin(list)
	if err != nil {
		return err
	}
	for i := first; i < len(list); i++ {
		n, err := r.entries(ctx, list[i], offset, &skip)
		if err != nil {
			return err
		}
		if i == len(list)-1 { // compressed where nothing was written since the last rotation
			r.cur, r.offset = list[i], n
			list = list[:i]
		}
		offset = 0
	}
	return nil
}

// begin finds where the last Tail entries begin: the file, the offset in it, and how many entries to skip from there.
func (r *reader) begin(list []*part) (first int, offset int64, skip int, err error) {
	if r.o.Tail < 0 {
		return 0, 0, 0, nil
	}
	want := r.o.Tail
	for i := len(list) - 1; i >= 0; i-- {
		var n int
		if list[i].gz {
			n, err = countLines(list[i])
			if n > want {
				return i, 0, n - want, err
			}
		} else if offset, n, err = list[i].tailOffset(want); err == nil && n >= want {
			return i, offset, 0, nil
		}
		if err != nil {
			return 0, 0, 0, err
		}
		want -= n
	}
	return 0, 0, 0, nil
}

func countLines(p *part) (n int, err error) {
	z, err := p.from(0)
	if err != nil {
		return 0, err
	}
	s := bufio.NewReaderSize(z, 64<<10)
	for {
		_, err := s.ReadSlice('\n')
		switch {
		case err == nil:
			n++
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return n, nil
		default:
			return n, err
		}
	}
}

// entries reads whole lines of a file from an offset and returns the offset after the last of them.
func (r *reader) entries(ctx context.Context, p *part, offset int64, skip *int) (int64, error) {
	src, err := p.from(offset)
	if err != nil {
		return offset, err
	}
	s := bufio.NewReaderSize(src, maxEncoded)
	for {
		if err := ctx.Err(); err != nil {
			return offset, err
		}
		line, err := s.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull): // longer than any entry of ours: junk up to the next newline
			offset += int64(len(line))
			continue
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return offset, nil
		case err != nil:
			return offset, err
		}
		offset += int64(len(line))
		if *skip > 0 {
			*skip--
			continue
		}
		if e, derr := decode(line); derr == nil {
			if err := r.give(e); err != nil {
				return offset, err
			}
		}
	}
}

func (r *reader) give(e Entry) error {
	if !r.o.Since.IsZero() && e.Time.Before(r.o.Since) {
		return nil
	}
	if !r.o.Until.IsZero() && e.Time.After(r.o.Until) {
		return errStop
	}
	return r.each(e)
}
