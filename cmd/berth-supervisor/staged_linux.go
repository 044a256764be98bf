//go:build cgo && seccomp

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/berthhq/berth/guestagent/engine/supervisor"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/staged"
	"github.com/berthhq/berth/internal/paths"
)

// fast makes the staged launcher one of the supervisor's starters. Without a launcher it supports nothing.
type fast struct{ *staged.Launcher }

// newFast makes the launcher with program, which is berth-init.
func newFast(layout paths.Layout, program string) (fast, error) {
	anchor := filepath.Join(layout.SupervisorState(), "anchor")
	if err := os.MkdirAll(anchor, 0o700); err != nil {
		return fast{}, fmt.Errorf("making %s: %w", anchor, err)
	}
	l, err := staged.New(staged.Config{Program: program, Anchor: anchor, Cgroup: "/berth"})
	return fast{l}, err
}

// Supports says which containers it starts.
func (f fast) Supports(s *proto.Start) bool { return f.Launcher != nil && staged.Supports(s) }

func (f fast) Start(id string, s *proto.Start, stdio [3]*os.File) (supervisor.Container, *os.Process, *os.File, error) {
	ct, p, console, err := f.Launcher.Start(id, s, stdio)
	if err != nil {
		return nil, nil, nil, err
	}
	return ct, p, console, nil
}

func (f fast) Restore(id string, pid int, saved []byte) (supervisor.Container, error) {
	if f.Launcher == nil {
		return nil, errors.New("berth-init is missing")
	}
	ct, err := f.Launcher.Restore(id, pid, saved)
	if err != nil {
		return nil, err
	}
	return ct, nil
}
