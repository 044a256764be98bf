//go:build cgo && seccomp

package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/berthhq/berth/guestagent/engine/supervisor"
	"github.com/berthhq/berth/guestagent/engine/supervisor/libct"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/paths"
	"golang.org/x/sys/unix"
)

func main() {
	libct.Init()
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "berth-supervisor:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("berth-supervisor", flag.ExitOnError)
	root := flags.String("root", os.Getenv(paths.EnvRoot), "state directory; empty is the machine-wide one")
	flags.Parse(args)
	layout := paths.For(*root)
	l, err := supervisor.Listen(layout)
	if err != nil {
		return err
	}
	starter, err := libct.New(layout.SupervisorState(), layout.RootfsDir())
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	logger := log.New(os.Stderr, "", log.LstdFlags|log.Lmicroseconds)
	return supervisor.New(layout, logger, classic{starter}).Serve(ctx, l)
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
