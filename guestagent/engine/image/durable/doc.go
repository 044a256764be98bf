// Package durable remembers which unpacked layers may not be on disk yet, so that a power cut is noticed. It does not
// know what a layer is, and removes nothing itself.
package durable
