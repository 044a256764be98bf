//go:build linux

package build

import (
	"bytes"
	"os"
	"strconv"
	"testing"
)

// mapped is how much of files this process has mapped in, in kilobytes.
func mapped(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(b, []byte("RssFile:"))
	fields := bytes.Fields(rest)
	n, err := strconv.Atoi(string(fields[0]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestProgramIsDropped(t *testing.T) {
	exe, err := os.ReadFile("/proc/self/exe") // the page cache has all of it, and faults bring in its neighbours
	if err != nil || len(exe) == 0 {
		t.Fatal(err)
	}
	before := mapped(t)
	if err := dropProgram(); err != nil {
		t.Fatal(err)
	}
	if after := mapped(t); after > before/2 {
		t.Errorf("of %d kB there are %d still mapped in", before, after)
	}
}
