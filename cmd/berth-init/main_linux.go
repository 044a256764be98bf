package main

import (
	"os"

	"github.com/berthhq/berth/guestagent/engine/supervisor/stage"
)

func main() {
	if os.Args[0] == stage.Name {
		stage.Main()
	}
	os.Exit(run(os.Args[1:], os.Stderr))
}
