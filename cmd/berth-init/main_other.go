//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "berth-init is the first process of a container: it is built for Linux")
	os.Exit(1)
}
