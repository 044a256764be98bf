//go:build linux && cgo && seccomp && race

package main

// slowed says that the race detector runs. It makes the moment between reading a container's output and writing it to
// the log, in which a SIGKILL of the supervisor loses what was read, a hundred times longer: tests that kill it while a
// container writes then fail now and then. They run without it (make test).
const slowed = true
