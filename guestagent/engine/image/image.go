// Package image keeps images: resolve, pull, unpack, push, list, remove, and the writable snapshot of each container.
// It is built on containerd's content store, metadata, leases, snapshotters and transfer service, in process. It
// knows nothing of containers but their IDs.
package image

import (
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image is one image for one platform, resolved from what a person typed.
type Image struct {
	// ID is the digest of what the name points at (an index or a manifest), as a dockerd with the containerd image
	// store reports it: "sha256:…".
	ID string
	// Ref is the familiar reference it was resolved from, with tag or digest; the ID where it was resolved by ID.
	Ref string
	// Manifest describes the platform's manifest.
	Manifest ocispec.Descriptor
	// Config is the image's configuration, docker's extensions included.
	Config dockerspec.DockerOCIImage
	// ChainID names the committed snapshot that containers of this image start from.
	ChainID string
}
