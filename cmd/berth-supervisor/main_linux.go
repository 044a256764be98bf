//go:build cgo && seccomp

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/berthhq/berth/guestagent/engine/supervisor"
	"github.com/berthhq/berth/guestagent/engine/supervisor/keep"
	"github.com/berthhq/berth/guestagent/engine/supervisor/libct"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/paths"
	"github.com/berthhq/berth/internal/trim"
	"golang.org/x/sys/unix"
)

// keepHeap is how much heap is let be, in bytes.
const keepHeap = 6 << 20

func main() {
	libct.Init()
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "berth-supervisor:", err)
		os.Exit(1)
	}
}

// Descriptors that a keeper gives the supervisor it starts.
const (
	listenFD = 3
	keeperFD = 4
)

func run(args []string) error {
	flags := flag.NewFlagSet("berth-supervisor", flag.ContinueOnError)
	root := flags.String("root", os.Getenv(paths.EnvRoot), "state directory; empty is the machine-wide one")
	kept := flags.Bool("kept", false, "serve what the keeper has handed on (for the keeper's use)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	logger := log.New(os.Stderr, "", log.LstdFlags|log.Lmicroseconds)
	layout := paths.For(*root)
	if *kept {
		return serve(layout, logger)
	}
	return keepOne(layout, logger, *root)
}

// keepOne is the keeper: it listens, and starts the program again as the supervisor as often as needed.
func keepOne(layout paths.Layout, logger *log.Logger, root string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	l, err := supervisor.Listen(layout)
	if err != nil {
		return err
	}
	defer l.Close()
	f, err := l.File()
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	err = keep.Run(keep.Config{
		Program: program, Args: []string{os.Args[0], "--kept", "--root", root}, Listen: f, Log: logger, Stop: stop,
	})
	return errors.Join(err, libct.Leave(layout.RootfsDir()))
}

// serve is the supervisor itself. SIGTERM ends it and its keeper; SIGHUP ends it alone, so that the keeper starts the
// program anew, as an upgrade wants it.
func serve(layout paths.Layout, logger *log.Logger) error {
	l, err := inherited(listenFD)
	if err != nil {
		return fmt.Errorf("the inherited socket: %w", err)
	}
	keeper, items, err := keep.Open(os.NewFile(keeperFD, "keeper"))
	if err != nil {
		return err
	}
	starter, err := libct.New(layout.SupervisorState(), layout.RootfsDir())
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	quick, err := newFast(layout, filepath.Join(filepath.Dir(exe), "berth-init"))
	if err != nil {
		logger.Printf("containers are started the slow way: %v", err)
	}
	srv := supervisor.New(layout, logger, keeper, quick, classic{starter})
	srv.Adopt(items)
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer cancel()
	again := make(chan os.Signal, 1)
	signal.Notify(again, unix.SIGHUP)
	go func() {
		<-again
		logger.Print("ending, to be started again")
		os.Exit(restart)
	}()
	go trim.Run(ctx, keepHeap)
	return srv.Serve(ctx, l)
}

// restart is the exit code that asks the keeper for the next supervisor, as every one but 0 does.
const restart = 3

func inherited(fd uintptr) (*net.UnixListener, error) {
	f := os.NewFile(fd, "listener")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	u, ok := l.(*net.UnixListener)
	if !ok {
		return nil, fmt.Errorf("it is a %T", l)
	}
	return u, nil
}

// classic makes libct's starter one of the supervisor's.
type classic struct{ *libct.Starter }

func (c classic) Start(id string, s *proto.Start, stdio [3]*os.File) (supervisor.Container, *os.Process, *os.File, error) {
	ct, p, console, err := c.Starter.Start(id, s, stdio)
	if err != nil {
		return nil, nil, nil, err
	}
	return ct, p, console, nil
}

func (c classic) Restore(id string, pid int, saved []byte) (supervisor.Container, error) {
	ct, err := c.Starter.Restore(id, pid, saved)
	if err != nil {
		return nil, err
	}
	return ct, nil
}
