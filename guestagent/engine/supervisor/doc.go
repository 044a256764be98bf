// Package supervisor is the body of berth-supervisor: it serves package proto's calls, starts containers and the
// processes exec'd in them, owns their streams, log and exit status, and outlives the engine. It must import nothing
// of the engine but its own subpackages and the log file format.
package supervisor
