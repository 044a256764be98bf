// Package inroot opens and makes paths inside a directory that is somebody else's root, so that whatever links they
// hold lead nowhere else (openat2(2), RESOLVE_IN_ROOT).
package inroot
