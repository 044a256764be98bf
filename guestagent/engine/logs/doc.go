// Package logs reads containers' logs: tail, since, until, follow across rotation, for the json-file and local drivers.
package logs
