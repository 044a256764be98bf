// Command bench measures berth beside docker, podman, crun and runc, and beside what the kernel itself needs: the same
// image, the same machine, the same minutes, one after the other in turns. `make bench` builds what it needs and runs it.
//
//	bench -bin DIR -peers DIR [-clients] [-run REGEXP] [-n N] [-json FILE]
//
// It works in network, mount and pid namespaces of its own and leaves nothing behind. Peers live in trees that
// scripts/peers.sh makes. A helper process of each peer stands in the peer's mounts and does the timing there, so that
// no peer is charged for entering its tree. "kernel" is this program, started twice: two starts of a Go program are part
// of that floor.
package main
