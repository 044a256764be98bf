//go:build unix

package machine

import (
	"os"
	"os/signal"
	"syscall"
)

// resized tells when the terminal's size may have changed, until end.
func resized() (changed <-chan os.Signal, end func()) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGWINCH)
	return ch, func() { signal.Stop(ch) }
}
