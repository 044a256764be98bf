//go:build linux

package container

import (
	"context"

	"github.com/berthhq/berth/guestagent/engine/logs/logfile"
	"github.com/berthhq/berth/internal/errdefs"
)

// Log says where a container's log is, and gives a channel that is closed when nothing more comes. What the container
// has said until now is in it.
func (s *Service) Log(ctx context.Context, ref string) (cfg logfile.Config, tty bool, done <-chan struct{}, err error) {
	e, err := s.find(ref)
	if err != nil {
		return cfg, false, nil, err
	}
	r := e.snapshot()
	if r.Host.LogConfig.Type == logNone {
		return cfg, false, nil, errdefs.NotImplemented("configured logging driver does not support reading")
	}
	l, err := s.logOf(&r)
	if err != nil {
		return cfg, false, nil, err
	}
	if r.State.running() {
		// A supervisor that is away has its successor write the rest; what is there is read meanwhile.
		_ = s.Runtime.FlushLogs(ctx, r.ID)
	}
	end := make(chan struct{})
	go func() { // ends with the request
		defer close(end)
		e.until(ctx, func() bool { return e.gone || !e.rec.State.running() && !e.starting })
	}()
	return logfile.Config{Driver: l.Driver, Path: l.Path, MaxSize: l.MaxSize, MaxFile: l.MaxFile, Compress: l.Compress}, r.Config.Tty, end, nil
}
