// Command berth is the command line of the container engine berth. It is glue: everything is in cmd/berth/cli.
package main

import (
	"context"
	"os"

	"github.com/berthhq/berth/cmd/berth/cli"
)

func main() {
	os.Exit(cli.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}
