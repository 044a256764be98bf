// Package document writes down what Windows' Host Compute Service is asked for: the description of a virtual machine as
// pure data. It builds and runs on every system, calls nothing and opens nothing; package hyperv hands its documents over.
//
// Which field exists since which Windows is a table of its own, schema.txt, made by mktable from the schemas that
// Microsoft publishes. Check holds any document against it, for each build of Windows, and is strict: a field that the
// service would pass over in silence is an error.
package document
