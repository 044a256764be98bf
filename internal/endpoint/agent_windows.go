package endpoint

import (
	"context"
	"io"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// StartAgent refuses: the host agent does not serve on Windows yet.
func StartAgent(context.Context, paths.Machine, io.Writer) error {
	_, err := FindAgent()
	return err
}

// FindAgent finds none that could be started.
func FindAgent() (string, error) {
	return "", errdefs.NotImplemented("berth's virtual machine for Windows arrives with a later release").
		WithHint("Point berth at an engine on Linux with --host, BERTH_HOST or DOCKER_HOST.")
}
