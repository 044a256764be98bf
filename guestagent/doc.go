// Package guestagent is PID 1 of the virtual machine: early user space, the guest's end of the link to the host, and the
// parent of berth-supervisor and berth-engine, which it starts, starts again and ends in order. It knows them as programs
// and sockets only. Whatever can fail in it must leave it running, since the kernel ends with it; it imports neither
// hostagent nor guestagent/engine.
//
// A boot, in order, so that the host hears of the guest as early as can be:
//
//	/proc, /sys, /dev            mounts
//	modules of stage "boot"      vsock, the disk's driver, EROFS
//	the root                     a tmpfs with the image's EROFS at /usr; the initramfs is left
//	control and Docker API ports listen
//	modules of stage "engine"    overlay, bridge, veth, nftables
//	the data disk                found by content, checked, mounted; formatted where it is blank
//	berth-supervisor             then berth-engine
//	modules of stage "rest"      what containers may want; after them no module can be loaded
//	the data disk grows          where its device has become larger
//
// A shutdown is the way back: the engine stops its containers, the rest is ended, the disk is unmounted, power off.
package guestagent
