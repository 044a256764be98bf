package container

import (
	"os"
	"os/signal"
	"time"
)

// sizeChanges: Windows has no signal for it, so the size is looked at now and then.
func sizeChanges() (<-chan os.Signal, func()) {
	ch := make(chan os.Signal, 1)
	t := time.NewTicker(250 * time.Millisecond)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-t.C:
				select {
				case ch <- os.Interrupt:
				default:
				}
			case <-done:
				return
			}
		}
	}()
	return ch, func() { t.Stop(); close(done) }
}

func proxied() (<-chan os.Signal, func()) {
	ch := make(chan os.Signal, 4)
	signal.Notify(ch, os.Interrupt)
	return ch, func() { signal.Stop(ch) }
}

func signalName(os.Signal) string { return "SIGINT" }
