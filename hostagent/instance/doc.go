// Package instance keeps what the host knows of one virtual machine: its settings and what earlier starts taught, in one
// small file that is replaced as a whole, the lock that lets one agent serve it, and its data disk, a sparse file. No
// hypervisor is known here.
package instance
