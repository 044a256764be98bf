//go:build !linux && !darwin

package endpoint

import (
	"context"
	"runtime"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// StartWindow refuses: programs are not started detached here yet.
func StartWindow(context.Context, paths.Window, []string) error {
	return errdefs.NotImplemented("the window does not open on %s yet", runtime.GOOS)
}
