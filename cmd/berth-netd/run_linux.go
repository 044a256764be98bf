package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/engine/network/netd"
	"github.com/berthhq/berth/internal/paths"
)

// memoryTarget is what the garbage collector keeps the heap near, in percent growth: this process is to stay small.
const memoryTarget = 40

// run is the whole program. Exit codes: 0 ended on purpose, 1 failed, 2 wrong arguments.
func run(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("berth-netd", flag.ContinueOnError)
	flags.SetOutput(stderr)
	layout := paths.Default()
	flags.StringVar(&layout.Run, "run", layout.Run, "`directory` of sockets and run-time state")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	debug.SetGCPercent(memoryTarget)
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer cancel()
	cfg := netd.Config{Socket: layout.NetdSocket(), State: layout.NetdState(), Log: slog.New(slog.NewTextHandler(stderr, nil))}
	if err := netd.Run(ctx, cfg); err != nil {
		fmt.Fprintln(stderr, "berth-netd:", err)
		return 1
	}
	return 0
}
