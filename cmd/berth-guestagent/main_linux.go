package main

import (
	"fmt"
	"os"

	"github.com/berthhq/berth/guestagent"
	"github.com/berthhq/berth/internal/buildinfo"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Printf("berth-guestagent %s (%s)\n", buildinfo.Version(), buildinfo.Commit())
		return
	}
	// Where it is PID 1 the kernel panics after this, and the host sees the last lines on the console.
	fmt.Fprintln(os.Stderr, "berth-guestagent:", guestagent.Run())
	os.Exit(1)
}
