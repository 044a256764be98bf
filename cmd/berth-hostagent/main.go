// Command berth-hostagent is the host's side of a virtual machine. Its verb keep is the small process that holds the
// machine where the hypervisor does not; the agent starts it by itself.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }
