//go:build linux

// Package qemu drives virtual machines by QEMU, with berth's own vsock device in this process. Whoever starts a machine
// here is the one it dies with: the host agent does not, but has a keeper do it. Only cmd/berth-hostagent imports it.
//
// QEMU is given everything as descriptors that are open already (the vsock device, its monitor, the console, kernel and
// disks), so that it needs no name of a file and nobody else finds a socket of it.
package qemu
