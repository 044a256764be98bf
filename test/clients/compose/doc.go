// Package compose runs stories of Docker Compose against an engine: a project of five services from up to down -v, and
// old files with links.
package compose
