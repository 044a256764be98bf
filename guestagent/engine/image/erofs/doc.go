// Package erofs writes EROFS images: read-only file systems that Linux mounts from a file. It writes the plain part of
// the format (Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h in the kernel): no compression, no extents
// shared between files, blocks of 4 KiB, every inode of the extended kind. It knows neither tar nor layers, and mounts
// nothing.
//
// An image is written front to back. Files' bytes come first, as they arrive; what describes them is kept in memory, as
// a tree that may be changed until Finish writes it behind them:
//
//	block 0        superblock, at byte 1024
//	data           the bytes of files, each beginning at a block, and of directories that are not kept inline
//	metadata       inodes at 64-byte steps, each followed by its attributes and, if short, its bytes
//
// An inode's number is its place in the metadata in units of 32 bytes.
package erofs
