// Command mkimage makes the image of the virtual machine: kernel, initramfs and manifest, for one architecture. It runs
// on Linux, in the project's own directory, with gcc, make and mkfs.erofs; `make vmimage` calls it.
package main
