package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/berthhq/berth/guestagent/engine"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/trim"
	"github.com/containerd/log"
	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// keepHeap is how much heap is let be, in bytes.
const keepHeap = 10 << 20

// gcPercent trades a little CPU for a small resident engine: most of its life it waits.
const gcPercent = 50

// serve runs an engine until ctx ends.
func serve(ctx context.Context, o options, stderr io.Writer) error {
	if os.Geteuid() != 0 {
		return errdefs.Forbidden("the engine needs root: it makes namespaces, mounts and networks").WithHint("run it with sudo")
	}
	unix.Umask(0o022)
	debug.SetGCPercent(gcPercent)
	log.SetLevel("error") // the libraries' own chatter
	level := slog.LevelInfo
	if o.config.Debug {
		level = slog.LevelDebug
	}
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	bin, err := binDir()
	if err != nil {
		return err
	}
	e, err := engine.New(ctx, engine.Options{Layout: o.layout, Config: o.config, BinDir: bin, Log: logger})
	if err != nil {
		return err
	}
	defer e.Close()
	listeners, err := listen(o)
	if err != nil {
		return err
	}
	go func() {
		if err := tellReady(ctx, o.layout.Socket(), daemon.SdNotify); err != nil {
			logger.Warn("systemd could not be told that the engine is ready", "err", err)
		}
	}()
	go trim.Run(ctx, keepHeap)
	logger.Info("serving", "socket", o.layout.Socket(), "pid", os.Getpid())
	err = e.Serve(ctx, listeners...)
	if ctx.Err() != nil && shutsDown(systemState) {
		logger.Info("the machine shuts down: stopping containers")
		e.Shutdown(context.WithoutCancel(ctx))
	}
	return err
}

// binDir is where the engine's companions are: beside itself.
func binDir() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", errdefs.System("finding the engine's own program: %w", err)
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	return filepath.Dir(exe), nil
}

// listen opens the sockets: the engine's own, those that were asked for, and docker's where nobody has it.
func listen(o options) (out []net.Listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range out {
				l.Close()
			}
		}
	}()
	for _, h := range append([]string{"unix://" + o.layout.Socket()}, o.hosts...) {
		var l net.Listener
		if addr, tcp := strings.CutPrefix(h, "tcp://"); tcp {
			l, err = listenTLS(addr, o.config.Paths)
		} else {
			l, err = listenUnix(strings.TrimPrefix(h, "unix://"), o.config.Group)
		}
		if err != nil {
			return out, err
		}
		out = append(out, l)
	}
	if o.machine {
		if l := dockerSocket(o.config.Group); l != nil {
			out = append(out, l)
		}
	}
	return out, nil
}
