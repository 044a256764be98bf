package endpoint

import (
	"context"
	"net"

	"github.com/Microsoft/go-winio"
)

// dialPipe connects to a pipe; while it is busy with others it waits, until ctx ends. On a pipe in message mode the
// connection's CloseWrite sends a message of no bytes, which the server takes for the end of input.
func dialPipe(ctx context.Context, name string) (net.Conn, error) {
	return winio.DialPipeContext(ctx, name)
}
