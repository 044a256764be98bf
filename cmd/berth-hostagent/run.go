package main

import (
	"fmt"
	"io"
)

// verb is one of this program's; it returns the exit code.
type verb func(args []string, stderr io.Writer) int

// run is the whole program. Exit codes: 0 ended on purpose, 1 failed, 2 wrong arguments.
func run(args []string, stderr io.Writer) int {
	if len(args) > 0 {
		if do := verbs()[args[0]]; do != nil {
			return do(args[1:], stderr)
		}
		fmt.Fprintf(stderr, "berth-hostagent: there is no verb %q\n", args[0])
		return 2
	}
	fmt.Fprintln(stderr, "berth-hostagent: a verb is needed; berth machine starts this program by itself")
	return 2
}
