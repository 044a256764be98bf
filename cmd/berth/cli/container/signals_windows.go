package container

import (
	"context"
	"os"
	"time"
)

// sizePoll is how often a Windows console is asked for its size: it sends no signal.
const sizePoll = 250 * time.Millisecond

func runtimeSignal(os.Signal) bool { return false }

// sizeChanges ticks: the caller compares.
func sizeChanges(ctx context.Context) <-chan os.Signal {
	c := make(chan os.Signal)
	go func() {
		t := time.NewTicker(sizePoll)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				select {
				case c <- os.Interrupt:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return c
}
