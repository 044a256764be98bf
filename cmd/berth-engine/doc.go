// Command berth-engine is the container engine: it serves the Docker Engine API on a unix socket. Containers outlive
// it. It is Linux only.
package main
