// Package rootfs puts the guest's root together: an initramfs with the guest agent, the modules of a boot and, as one
// file, an EROFS of all other programs. The same parts give the same bytes: names are sorted, times, owners and inode
// numbers are fixed.
package rootfs
