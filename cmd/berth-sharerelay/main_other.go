//go:build !linux

// Command berth-sharerelay is for the Linux guest alone.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "berth-sharerelay runs in the Linux guest")
	os.Exit(1)
}
