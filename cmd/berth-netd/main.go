// Command berth-netd keeps names and published ports answering while the engine is away. The engine starts it.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }
