//go:build !linux

package endpoint

import (
	"context"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// FindEngine finds none: outside Linux the engine is in a virtual machine.
func FindEngine() (string, error) {
	return "", errdefs.NotImplemented("the engine is no program of this machine")
}

// StopEngine has nothing to stop.
func StopEngine(context.Context, paths.Layout, time.Duration) error { return nil }
