// Package stall ends transfers that stand still: a registry that neither sends nor hangs up would hold a pull for ever.
// It knows nothing of what is transferred.
package stall

import (
	"context"
	"errors"
	"io"
	"time"
)

// ErrStalled is why a transfer was ended.
var ErrStalled = errors.New("the registry sent nothing for too long")

// Watchdog cancels a transfer that stands still. Its clock runs only while a read from the network is under way.
type Watchdog struct {
	timer  *time.Timer
	limit  time.Duration
	cancel context.CancelCauseFunc
}

// Watch makes a context that ends with ErrStalled when nothing comes for limit.
func Watch(ctx context.Context, limit time.Duration) (context.Context, *Watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	d := &Watchdog{limit: limit, cancel: cancel}
	d.timer = time.AfterFunc(limit, func() { cancel(ErrStalled) })
	return ctx, d
}

// Stop ends the watch and the context.
func (d *Watchdog) Stop() {
	d.timer.Stop()
	d.cancel(nil)
}

// Cause replaces the "context canceled" that a stall looks like by what happened.
func (d *Watchdog) Cause(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), ErrStalled) {
		return ErrStalled
	}
	return err
}

// Reader watches the reads from r.
func (d *Watchdog) Reader(r io.Reader) io.Reader { return &watchedReader{d: d, r: r} }

type watchedReader struct {
	d *Watchdog
	r io.Reader
}

func (w *watchedReader) Read(p []byte) (int, error) {
	w.d.timer.Reset(w.d.limit)
	n, err := w.r.Read(p)
	w.d.timer.Stop()
	return n, err
}
