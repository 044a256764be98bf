// Package kernel takes apart Debian's cloud kernel: the uncompressed kernel that hypervisors start, and the modules that
// the guest loads, without their signatures, each with what must be loaded before it. The modules are named in modules.go;
// what stands there in no list is not in the image, as algif_aead, esp and rxrpc (docs/threats.md).
package kernel
