// Package vz drives virtual machines by macOS's Virtualization framework. It speaks with the framework through the
// Objective-C runtime, without cgo (decision 0020): every message that it sends stands in a table of the framework's own
// methods (selectors.txt), is checked against it before it is sent, and in tests goes to a simulated framework. Only
// runtime_darwin.go knows the real one, so that everything else builds and runs on every Unix.
//
//	vm.Config + what the Mac offers -> Plan       plan.go: pure data, builds and is tested everywhere
//	Plan -> VZVirtualMachineConfiguration         build.go: messages
//	VZVirtualMachine on its queue                 machine.go, stream.go
//	messages, checked against the table           script.go, table.go, selectors.txt
//	the Objective-C runtime                       runtime_darwin.go; sim_test.go in tests
//
// What is known to go wrong, and what is done about it:
//
//   - A VZVirtualMachine may be touched on its queue alone, and completion handlers come on it: they hand over and wait
//     for nothing, or the queue stands still for ever.
//   - The delegate is a weak reference, and file descriptors given to an NSFileHandle are not duplicated: both are kept as
//     long as the machine.
//   - The descriptor of a VZVirtioSocketConnection closes with that object, so the handler duplicates it before it returns.
//   - A disk that is not cached by the host has been seen to be corrupted on Apple silicon: disks are cached, and the
//     guest's flushes become fsync.
//   - The framework does not say that a guest's kernel has panicked, and may boot it again by itself: the guest is told to
//     stand still, and its last words are read from its console.
//   - An end by stopWithCompletionHandler: is not told to the delegate, an end by the guest is told to nobody else.
//   - A connection that nobody answers fails with ECONNRESET, where one expects ECONNREFUSED.
//
// The host listens to no vsock port (package transport), so there are no VZVirtioSocketListener here.
package vz
