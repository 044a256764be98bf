// Package disk is the data disk of the virtual machine: found by what is on it, checked, formatted where it is blank,
// grown while it is mounted, trimmed. All that the guest keeps lies on it, so it is never formatted on a guess: a disk with
// a single byte that is not zero where a file system or a partition table would be is not blank.
package disk
