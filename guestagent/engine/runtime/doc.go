// Package runtime turns a container's record into an OCI runtime specification and speaks to berth-supervisor.
package runtime
