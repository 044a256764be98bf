// Package firewalld has firewalld let bridges' packets pass, where it runs: over the system D-Bus it binds them to a
// zone that accepts everything, since berth's own rules say already what may pass. Bindings are made at run time only,
// and again when firewalld reloads or is started anew. Nothing else of its configuration is touched.
package firewalld
