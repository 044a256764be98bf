// Package libct starts containers with runc's libcontainer. It takes every specification; package staged takes the
// common ones faster, and both pass one contract suite. Its program must call Init before anything else, because
// libcontainer executes the program again as a container's first process. It knows nothing of streams and records.
package libct
