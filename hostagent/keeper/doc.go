//go:build linux

// Package keeper holds a virtual machine in a small process of its own, so that the end of the host agent is no power
// cut. Driver starts such a process around any other driver and finds it again; Keep is that process's body. It knows no
// hypervisor: it passes a vm.Machine on.
//
// The agent talks to it over a unix socket in the machine's directory that serves nobody but its own user. Each
// connection begins with a request and its reply, a line of JSON each:
//
//	verb       request      reply
//	dial       port         stream; from here on the connection is the stream, each half ends by itself
//	ending     stream       clean, where the guest has ended the stream in order
//	status                  status
//	powerdown, pause, resume, kill
//	wait                    exit, when the machine has ended
//
// A unix socket ends in the same way whether the guest has ended the stream or the keeper was killed. So the agent's end
// believes in an end only when the keeper has confirmed it; everything else was cut.
package keeper
