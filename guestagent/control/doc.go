// Package control is the guest's end of the control link: it takes the host's streams, does the handshake, answers
// requests from a table of ops and tells events. What the ops do is the agent's; this package knows no more of the
// guest than the table says.
package control
