//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "berth-guestagent: runs as the first process of berth's virtual machine, on Linux only")
	os.Exit(1)
}
