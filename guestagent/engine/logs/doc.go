// Package logs gives containers' logs to clients: which entries, in which words, to which of two writers. The files
// are package logfile's. It knows nothing of containers but where their logs are.
package logs
