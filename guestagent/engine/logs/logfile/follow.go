package logfile

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// poll is how often a followed log is looked at when the kernel tells of no change.
const poll = time.Second

// follow goes on reading until the log is done or ctx ends.
func (r *reader) follow(ctx context.Context) error {
	changed, stop := watch(filepath.Dir(r.cfg.Path))
	defer stop()
	var until <-chan time.Time
	if !r.o.Until.IsZero() {
		t := time.NewTimer(time.Until(r.o.Until))
		defer t.Stop()
		until = t.C
	}
	for done := false; ; {
		if err := r.advance(ctx); err != nil {
			return err
		}
		if done {
			return nil
		}
		if r.o.Settled != nil {
			r.o.Settled()
		}
		select {
		case <-changed:
		case <-time.After(poll):
		case <-r.o.Done:
			done = true // once more, for what was written before it was told
		case <-until:
			done = true
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watch tells of changes in a directory. Without inotify nothing is told, and poll serves.
func watch(dir string) (changed <-chan fsnotify.Event, stop func()) {
	w, err := fsnotify.NewBufferedWatcher(64)
	if err != nil {
		return nil, func() {}
	}
	if err := w.Add(dir); err != nil {
		w.Close()
		return nil, func() {}
	}
	go func() {
		for range w.Errors { // an overflow only means that something changed
		}
	}()
	return w.Events, func() { w.Close() }
}

// advance reads what is new in the current file, and in those that followed it when it was rotated.
func (r *reader) advance(ctx context.Context) error {
	none := 0
	grows := r.cur != nil && !r.cur.gz // what is compressed is complete, and all of it was read
	if grows {
		if st, err := r.cur.f.Stat(); err == nil && st.Size() < r.offset {
			r.offset = 0 // truncated: a log of one file begins again
		}
		n, err := r.entries(ctx, r.cur, r.offset, &none)
		if r.offset = n; err != nil {
			return err
		}
	}
	list, err := parts(r.cfg)
	if err != nil {
		return err
	}
	defer func() { closeParts(list) }()
	first := 0
	for i, p := range list {
		if r.cur != nil && p.sameAs(r.cur.head) {
			first = i + 1
		}
	}
	if first == len(list) {
		return nil
	}
	if grows { // what was written between the reading above and the rotation
		if r.offset, err = r.entries(ctx, r.cur, r.offset, &none); err != nil {
			return err
		}
	}
	for i := first; i < len(list); i++ {
		n, err := r.entries(ctx, list[i], 0, &none)
		if err != nil {
			return err
		}
		if i == len(list)-1 {
			r.close()
			r.cur, r.offset = list[i], n
			list = list[:i]
		}
	}
	return nil
}
