// Package staged runs containers with the stage: processes parked ahead (park), filters compiled once (filter), the
// user resolved in the root (identity), cgroups by opencontainers/cgroups. It serves the specifications that it
// supports; libcontainer serves the rest, and both pass one contract suite. It knows nothing of streams and records.
package staged
