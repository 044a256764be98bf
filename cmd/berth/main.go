// Command berth runs containers: a command line for berth's engine, and for every other that speaks the Docker Engine
// API.
package main

import (
	"context"
	"os"
	"runtime/debug"

	"github.com/berthhq/berth/cmd/berth/cli"
)

func main() {
	debug.SetGCPercent(800) // most verbs are done before there is garbage worth collecting
	os.Exit(cli.Run(context.Background(), os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Getenv))
}
