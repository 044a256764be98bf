// Package machineapi is what `berth machine` and the host agent say to each other: HTTP with JSON over a unix socket
// that only its owner may open. It is not the Docker API, which has a socket of its own.
//
//	GET  /machine            -> Machine
//	POST /machine/start      -> Steps: it is running, with its engine
//	POST /machine/stop       Stop -> Steps: it is stopped, and the agent ends
//	POST /machine/restart    -> Steps
//	POST /machine/reset      -> Steps: its data is gone
//	POST /machine/shell      -> 101, and a stream of agentapi's PortShell from there on
//	PUT  /machine/settings   Settings -> Machine
//	GET  /machine/doctor     -> []Finding
//
// Every verb may be said again: what is so already is no error. Steps are lines of JSON, one Step each, as things go on;
// the last says how it ended.
package machineapi
