// Package testcontainers runs Testcontainers for Go against an engine: waits, networks, files, commands, builds, and the
// reaper that takes away what a test left. It is a module of its own, so that berth does not need that library.
package testcontainers
