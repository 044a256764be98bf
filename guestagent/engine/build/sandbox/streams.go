//go:build linux

package sandbox

import (
	"context"
	"io"
	"net"
	"os"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/stream"
	"github.com/moby/buildkit/executor"
	"golang.org/x/sys/unix"
)

// piping carries a process's streams between BuildKit and the supervisor.
type piping struct {
	near net.Conn
	done chan struct{} // closed when all output has been passed on
}

// attachment asks for the streams of a process.
func attachment(p executor.ProcessInfo) proto.Attach {
	return proto.Attach{Stdin: p.Stdin != nil, Stdout: true, Stderr: !p.Meta.Tty, Mux: !p.Meta.Tty}
}

// connect joins the streams of a command that is about to be started.
func (x *Executor) connect(ctx context.Context, id string, p executor.ProcessInfo) (*piping, error) {
	near, far, err := socketpair()
	if err != nil {
		return nil, err
	}
	if err := x.Runtime.Attach(ctx, id, "", attachment(p), far); err != nil {
		near.Close()
		return nil, err
	}
	return pipe(near, p), nil
}

// pipe begins to carry; it ends when the supervisor closes its end.
func pipe(near *net.UnixConn, p executor.ProcessInfo) *piping {
	s := &piping{near: near, done: make(chan struct{})}
	out, errOut := orDiscard(p.Stdout), orDiscard(p.Stderr)
	go func() {
		defer close(s.done)
		if p.Meta.Tty {
			_, _ = io.Copy(out, near) // what does not reach the build's log is lost, as if nobody had looked
			return
		}
		_ = stream.Demux(out, errOut, near)
	}()
	if p.Stdin != nil {
		go func() {
			_, _ = io.Copy(near, p.Stdin) // ends with the process, or with its input
			_ = near.CloseWrite()
		}()
	}
	return s
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// finish returns when all output of a process that is no more has been passed on.
func (s *piping) finish() {
	<-s.done
	s.near.Close()
}

// socketpair makes two ends of one connection.
func socketpair() (near, far *net.UnixConn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, errdefs.System("streams of a build's command: %w", err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "build stream")
		c, cerr := net.FileConn(f)
		f.Close()
		if cerr != nil {
			err = errdefs.System("streams of a build's command: %w", cerr)
			continue
		}
		ends[i] = c.(*net.UnixConn)
	}
	if err != nil {
		for _, e := range ends {
			if e != nil {
				e.Close()
			}
		}
		return nil, nil, err
	}
	return ends[0], ends[1], nil
}
