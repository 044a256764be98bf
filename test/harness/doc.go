// Package harness runs the built programs for tests: an engine of its own a test, with a registry on 127.0.0.1, in
// namespaces that hide it from the machine, and a check that nothing is left when it ends. Only tests may import it.
package harness
