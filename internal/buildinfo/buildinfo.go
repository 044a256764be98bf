// Package buildinfo says which berth this is. The linker fills the variables in (see the Makefile);
// nothing may assign to them at run time.
package buildinfo

import "runtime"

// Set by -ldflags -X at build time.
var (
	version = "0.1.0-dev"
	commit  = "unknown"
	date    = "unknown"
)

// Version is berth's own version, semantic versioning without a leading v.
func Version() string { return version }

// Commit is the git commit the program was built from, or "unknown".
func Commit() string { return commit }

// Date is when the program was built, RFC 3339, or "unknown".
func Date() string { return date }

// Platform is the operating system and architecture the program was built for, such as "linux/amd64".
func Platform() string { return runtime.GOOS + "/" + runtime.GOARCH }
