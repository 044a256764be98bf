// Package stage is the first process of a container until it becomes the container's own program: parked ahead of
// time in fresh namespaces, it is told what to become, puts the root together with descriptors alone (the new mount
// API, openat2), gives up what the specification does not grant, and executes the command. It runs in berth-init and
// imports nothing that costs start-up time. Whatever the image brings is hostile: no path of the container is ever
// resolved outside its root, and no program of it runs before the last line.
//
//	parent (package park)                      child (this package)
//	clone into new pid, mount, uts, ipc  ->
//	join the cgroup, Prepare             ->    unshare the cgroup namespace, make the file systems that are always
//	                                           the same
//	                                     <-    Ready
//	  ... parked ...
//	Plan, with descriptors               ->    enter the network, attach the root, mount, pivot, mask, drop, execute
//	                                     <-    Console, with the terminal's master, where one is asked for
//	                                     <-    end of file: the command has been executed; or Failure
package stage
