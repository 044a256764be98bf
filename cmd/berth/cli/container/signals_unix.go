//go:build !windows

package container

import (
	"context"
	"os"
	gosignal "os/signal"

	"golang.org/x/sys/unix"
)

// runtimeSignal says whether Go's own scheduler sends the signal, or the terminal sends it to this process only.
func runtimeSignal(sig os.Signal) bool { return sig == unix.SIGURG || sig == unix.SIGWINCH }

// sizeChanges tells when the terminal's size changes.
func sizeChanges(ctx context.Context) <-chan os.Signal {
	c := make(chan os.Signal, 1)
	gosignal.Notify(c, unix.SIGWINCH)
	context.AfterFunc(ctx, func() { gosignal.Stop(c) })
	return c
}
