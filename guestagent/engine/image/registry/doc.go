// Package registry talks to image registries for the image service: which hosts serve a name (certs.d, hosts.toml,
// mirrors, insecure registries, the loopback rule), which credentials go to which host, and what an error of theirs is
// called in docker's words. It stores nothing and knows nothing of images on this machine.
package registry
