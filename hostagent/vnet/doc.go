// Package vnet is the guest's way out: a network of two, of which the guest is one and this package, with a TCP/IP stack
// in user space, every other host there is. A connection of the guest is accepted here and made again by an ordinary
// socket of the person's, so that routes, VPNs and firewalls of the host hold for it. The gateway answers DNS with what
// the host's own resolver says.
//
//	guest's TAP == one stream of frames == link == stack -- tcp, udp --> targets --> sockets of the host
//	                                                   \-- dns (gateway, port 53) --> the host's resolver
//
// The guest is hostile: frames are bounded (internal/agentapi), flows are counted, and where they may lead is decided in
// one place (targets). It listens to nothing on the host.
package vnet
