// Package build builds images: BuildKit in this process, on the image service's own stores, so that what is built is
// there at once. Its commands run in package sandbox; package classic words its progress for clients that do not know
// BuildKit.
//
// BuildKit is opened by the first call that needs it and stays open until Close: an engine that never builds pays
// neither time nor memory for it. It is the only part of the engine that imports BuildKit.
package build
