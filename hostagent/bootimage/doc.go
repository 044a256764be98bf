// Package bootimage finds what a machine boots from and opens it only if not a byte has changed: the digest of the
// image's manifest is compiled into the program, the manifest has the digests of the parts. Each machine keeps the image
// it runs and, until a newer one has answered, the one before: an upgrade of berth takes away what was installed with it.
package bootimage
