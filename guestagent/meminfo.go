package guestagent

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/berthhq/berth/internal/agentapi"
)

// parseMeminfo reads what /proc/meminfo says, in kilobytes.
func parseMeminfo(text string) (agentapi.Memory, error) {
	var m agentapi.Memory
	want := map[string]*uint64{"MemTotal": &m.Total, "MemAvailable": &m.Available, "MemFree": &m.Free, "Cached": &m.Cached}
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(line, ":")
		to := want[name]
		if to == nil {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 54)
		if err != nil {
			return m, fmt.Errorf("meminfo: %q", line)
		}
		*to = n << 10
	}
	if m.Total == 0 {
		return m, fmt.Errorf("meminfo names no total")
	}
	return m, nil
}
