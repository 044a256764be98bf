// Package streams carries the standard streams of a container's processes: output to every attached client and the
// log, input from clients to the process, detach keys. It knows descriptors and bytes only; how a process is started
// and what a container is it must not know.
package streams
