// Package cli is the command line of berth: the tree of verbs, the one place that prints errors, and Run, which runs
// the whole program in process. It imports internal packages and the API's client only; verbs live in its
// sub-packages.
package cli
