//go:build linux

package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// settlePatience bounds how long somebody waits for ends that are being recorded.
const settlePatience = 10 * time.Second

// Settle waits until none of the containers has ended without that being written down: clients see the end of an output
// before the engine has given back what the container held. It says whether there was anything to wait for, and gives up
// after ten seconds or with ctx.
func (s *Service) Settle(ctx context.Context, ids []string) (waited bool) {
	ctx, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	for _, id := range slices.Sorted(slices.Values(ids)) {
		e, err := s.find(id)
		if err != nil {
			waited = true // removed since it was asked about
			continue
		}
		settled := func() bool {
			return !e.ending && !(e.rec.State.running() && e.rec.State.Pid > 0 && over(e.rec.State.Pid))
		}
		e.mu.Lock()
		now := settled()
		e.mu.Unlock()
		if now {
			continue
		}
		waited = true
		if _, err := e.until(ctx, settled); err != nil {
			return waited
		}
	}
	return waited
}

// over says whether a process has ended, waited for or not.
func over(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	text := string(stat)
	i := strings.LastIndexByte(text, ')') // the program's name may have one of its own
	return i >= 0 && strings.HasPrefix(text[i:], ") Z")
}
