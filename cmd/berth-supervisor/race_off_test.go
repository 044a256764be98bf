//go:build linux && cgo && seccomp && !race

package main

const slowed = false
