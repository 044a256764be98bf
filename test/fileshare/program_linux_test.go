package fileshare

import "fmt"

// playProgram is what a process in the guest does, where it must not be the test's own.
func playProgram(args []string) error {
	return fmt.Errorf("no such program: %q", args)
}
