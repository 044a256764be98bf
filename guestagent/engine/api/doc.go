// Package api serves the Docker Engine HTTP API: router, version negotiation, one file a noun, hijacked streams, error
// mapping. It sees the engine only through the interfaces in backend.go and imports no other package of the engine.
package api
