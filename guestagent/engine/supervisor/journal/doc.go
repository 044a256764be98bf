// Package journal keeps what a supervisor has read of a container's output and not yet written to its log, in shared
// memory that a successor is handed: a SIGKILL between reading and writing loses nothing and repeats nothing.
//
// Output is read straight into the memory, which is zero before. The kernel fills it whether or not the reader lives
// to note how much came, so a successor finds the bytes. Trailing zero bytes of the very last read are the only ones
// that it cannot tell from none.
package journal
