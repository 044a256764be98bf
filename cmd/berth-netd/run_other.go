//go:build !linux

package main

import (
	"fmt"
	"io"
)

// run refuses: containers' networks are Linux.
func run(_ []string, stderr io.Writer) int {
	fmt.Fprintln(stderr, "berth-netd: runs on Linux only")
	return 1
}
