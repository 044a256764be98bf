//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "berth-engine: runs on Linux only; on this system it runs in berth's virtual machine")
	os.Exit(1)
}
