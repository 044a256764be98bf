//go:build linux

package image

import (
	"context"
	"errors"
	"io"
	"time"
)

// watchdog cancels a transfer that stands still. Its clock runs only while a read from the network is under way.
type watchdog struct {
	timer  *time.Timer
	limit  time.Duration
	cancel context.CancelCauseFunc
}

// watch makes a context that ends with errStalled when nothing comes for limit.
func watch(ctx context.Context, limit time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	d := &watchdog{limit: limit, cancel: cancel}
	d.timer = time.AfterFunc(limit, func() { cancel(errStalled) })
	return ctx, d
}

func (d *watchdog) stop() {
	d.timer.Stop()
	d.cancel(nil)
}

// cause replaces the "context canceled" that a stall looks like by what happened.
func (d *watchdog) cause(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	return err
}

func (d *watchdog) reader(r io.Reader) io.Reader { return &watchedReader{d: d, r: r} }

type watchedReader struct {
	d *watchdog
	r io.Reader
}

func (w *watchedReader) Read(p []byte) (int, error) {
	w.d.timer.Reset(w.d.limit)
	n, err := w.r.Read(p)
	w.d.timer.Stop()
	return n, err
}
