// Package netd is the body of berth-netd, the small process that keeps names and published ports answering while the
// engine is away. It holds the sockets of published ports, passes on connections that the kernel's NAT cannot serve
// ([::1], and IPv6 to a container without it), and answers names at 127.0.0.11 inside network namespaces. It must stay
// small: it imports nothing of the engine but the protocol and the DNS answers, and runs no program.
package netd
