//go:build !cgo || !seccomp

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "berth-supervisor starts containers: it is built for Linux, with cgo and the tags of the Makefile")
	os.Exit(1)
}
