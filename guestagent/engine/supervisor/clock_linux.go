package supervisor

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// startClock is when a process started, in clock ticks since boot; 0 if it is gone. With the pid it names a process
// for as long as the machine runs.
func startClock(pid int) uint64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The command's name, in parentheses, may hold anything; field 22 is the 20th after it.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	const field = 22 - 3
	if len(fields) <= field {
		return 0
	}
	n, err := strconv.ParseUint(string(fields[field]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
