// Package engine is the container engine in one piece: it puts the services (images, networks, volumes, containers,
// events) together and offers them to package api through the interfaces declared there. It holds no logic of its own
// beyond the wiring; a backend_*.go file translates one group of calls.
package engine
