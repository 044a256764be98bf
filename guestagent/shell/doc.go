// Package shell runs programs for a person who looks into the machine from the host: in a terminal, or with pipes. How
// the streams look is package agentapi's (Shell); how a program is started is its user's, since PID 1 starts them.
package shell
