// Package archive copies files into and out of a container's root as tar, for docker cp and export. The container may
// run and change its files meanwhile, and its links may point anywhere: every path is resolved by the kernel inside
// the root (openat2(2), RESOLVE_IN_ROOT), files are reached through descriptors, and no program of the container is
// ever executed.
package archive
