//go:build !windows

package endpoint

import (
	"context"
	"net"

	"github.com/berthhq/berth/internal/errdefs"
)

// dialPipe refuses: named pipes are Windows'.
func dialPipe(_ context.Context, name string) (net.Conn, error) {
	return nil, errdefs.NotImplemented("this system cannot connect to the named pipe %s", name)
}
