// Package netdproto is the protocol between the engine and berth-netd, and the engine's client of it. The framing is
// that of supervisor/proto: four bytes of length, then JSON, over a unix stream socket that only root may open. A
// connection carries one call at a time. It must not import anything else of the engine.
//
//	op     request   answer
//	hello  -         Version, Pid
//	put    Sandbox   Ports as they were bound: all or nothing; replaces what was put under the same ID
//	drop   ID        - (also when it is unknown)
//	keep   IDs       - (drops all others)
//	list   -         Sandboxes
//	stop   -         - (netd ends; its state stays for its successor)
package netdproto
