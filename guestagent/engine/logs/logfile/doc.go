// Package logfile is the log file of one container: written by the supervisor, read by the engine, each in its own
// process and with nothing between them but the files. It knows docker's json-file format and docker's local format,
// rotation and compression. It must not know containers, streams or the API.
//
// Files: the current one is Config.Path; rotated ones are Path.1 (the newest), Path.2 …, with .gz behind where they
// are compressed. A rotated file is never written to again, so a reader that holds one open misses nothing.
package logfile
