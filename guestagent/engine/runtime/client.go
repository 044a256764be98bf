//go:build linux

package runtime

import (
	"context"
	"net"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Runtime is what the container package may ask for. Client implements it; tests of the engine use fakes.
type Runtime interface {
	Start(ctx context.Context, in Input) (State, error)
	Exec(ctx context.Context, id, execID string, base Input, in ExecInput, attach *proto.Attach, conn net.Conn) (State, error)
	Attach(ctx context.Context, id, execID string, a proto.Attach, conn net.Conn) error
	Signal(ctx context.Context, id, execID string, sig int, all bool) error
	Resize(ctx context.Context, id, execID string, height, width uint16) error
	Pause(ctx context.Context, id string) error
	Resume(ctx context.Context, id string) error
	Update(ctx context.Context, id string, r *specs.LinuxResources) error
	Pids(ctx context.Context, id string) ([]int, error)
	Stats(ctx context.Context, id string) ([]byte, error)
	Release(ctx context.Context, id, execID string) error
	FlushLogs(ctx context.Context, id string) error
	// Watch calls each for every event until ctx ends, beginning with a snapshot after every (re)connection.
	Watch(ctx context.Context, each func(proto.Event)) error
}
