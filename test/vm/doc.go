// Package vm boots the image that vmimage makes, with the real kernel and programs, by the driver that the host agent
// uses, and tells it what a host tells it. Where QEMU or the image is missing its tests are skipped: `make vmimage`.
package vm
