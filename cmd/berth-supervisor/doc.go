// Command berth-supervisor starts containers and owns their streams, logs and exit status. It is started by
// berth-engine and outlives it. It is Linux only and built with cgo:
//
//	CGO_ENABLED=1 go build -tags "netgo osusergo seccomp" -ldflags '-extldflags -static' ./cmd/berth-supervisor
package main
