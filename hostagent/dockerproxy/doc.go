// Package dockerproxy carries the Docker API between the host's socket and the engine in the guest: one stream a
// connection, byte for byte, half-closes included, nothing parsed. Only where the engine cannot be reached at all does it
// speak itself: one answer that says why.
package dockerproxy
