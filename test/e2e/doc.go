// Package e2e is the user's stories, told with the built programs: real namespaces, real overlayfs, a registry on
// loopback. The tests run in a mount and a network namespace of their own and check that they leave nothing behind.
package e2e
