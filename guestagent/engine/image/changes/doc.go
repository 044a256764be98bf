// Package changes applies instructions of a Dockerfile to a configuration, for commit and import. It runs nothing and
// reads no files.
package changes
