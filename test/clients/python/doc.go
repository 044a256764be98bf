// Package python runs a story in docker-py against an engine: what a user of that client does with containers, images,
// networks, volumes, builds and events.
package python
