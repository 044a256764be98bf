// Package machine tells the stories of a virtual machine with the built programs: berth and berth-hostagent of ./bin, the
// image that `make vmimage` has put beside them, and QEMU. Where one of them is missing its tests are skipped.
package machine
