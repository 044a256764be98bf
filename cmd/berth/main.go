// Command berth runs containers: a command line for berth's engine, and for every other that speaks the Docker Engine
// API.
package main

import (
	"context"
	"os"

	"github.com/berthhq/berth/cmd/berth/cli"
)

func main() {
	os.Exit(cli.Run(context.Background(), os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Getenv))
}
