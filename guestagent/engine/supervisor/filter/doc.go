// Package filter compiles seccomp profiles to BPF programs with libseccomp and keeps what it compiled: a compilation
// takes tens of milliseconds, far longer than the rest of a container's start. It loads nothing. It stands behind the
// cgo and seccomp tags and is the supervisor's.
package filter
