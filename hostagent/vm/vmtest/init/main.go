// Command init is the first and only process of a contract test's guest: it loads the modules of vsock and serves package
// guest on it.
package main

func main() { run() }
