//go:build linux || darwin

package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/hostagent/keeper"
)

const (
	// memoryTarget is what the garbage collector keeps the heap near, in percent growth: this process is to stay small.
	memoryTarget = 40
	// mostLines bounds the log: its lines are about a guest that may be hostile.
	mostLines = 1000
)

// keep holds a virtual machine until it ends. keeper.Driver starts it, hands down open files and talks to it.
func keep(args []string, stderr io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintln(stderr, "berth-hostagent: keep wants the name of a driver")
		return 2
	}
	driver := held(bounded(slog.New(slog.NewTextHandler(stderr, nil))))[args[0]]
	if driver == nil {
		fmt.Fprintf(stderr, "berth-hostagent: there is no driver %q\n", args[0])
		return 2
	}
	debug.SetGCPercent(memoryTarget)
	if err := keeper.Keep(driver, os.Stdin, os.Stdout, inherited()); err != nil {
		fmt.Fprintln(stderr, "berth-hostagent:", err)
		return 1
	}
	return 0
}

// bounded tells a log no more than it has room for.
func bounded(log *slog.Logger) func(string) {
	var n atomic.Int64
	return func(line string) {
		switch n.Add(1) {
		case mostLines:
			log.Warn("no more is written down of this guest")
		default:
			if n.Load() < mostLines {
				log.Warn(line)
			}
		}
	}
}

// inherited are the files that were open when this program began, in their order: 3 and up without a gap. They are not
// handed on by accident.
func inherited() (files []*os.File) {
	for fd := 3; ; fd++ {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 { // the first that is none, or is the runtime's own
			return files
		}
		unix.CloseOnExec(fd)
		files = append(files, os.NewFile(uintptr(fd), filepath.Join("/proc/self/fd", strconv.Itoa(fd))))
	}
}
