// Package detached makes mounts that are attached nowhere (the mount API of Linux 5.2): they are reached through their
// descriptor alone and go when the last one is closed, so that no crash leaves one behind. The supervisor hands them
// to containers, the engine reads a container's files through them. It imports nothing of the engine.
package detached

// Mount is one mount of a root filesystem, in containerd's terms.
type Mount struct {
	Type    string
	Source  string
	Options []string `json:",omitempty"`
}
