package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/berthhq/berth/internal/errdefs"
	"golang.org/x/sys/unix"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	os.Exit(Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Run is the whole program: it serves until ctx ends and returns the exit code.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, done, err := parse(args, stdout, stderr)
	if err == nil && !done {
		err = serve(ctx, o, stderr)
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "berth-engine:", err)
	if hint := errdefs.HintOf(err); hint != "" {
		fmt.Fprintln(stderr, hint)
	}
	return 1
}
