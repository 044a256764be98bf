// Package portforward listens on the host for the ports that containers in the guest publish. Each connection is a stream
// to the guest of its own, which begins with who the client is; each client of UDP has a stream of datagrams. Which ports
// there are is the guest's to say: it asks before a container starts, so that a port which is taken fails the start.
package portforward
