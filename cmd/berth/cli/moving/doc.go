// Package moving takes what an existing docker has over into the engine: images, volumes, networks and containers. It
// speaks to both through the Docker Engine API alone, changes nothing of what is taken over, and leaves it there.
package moving
