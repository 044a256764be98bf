// Package runtime turns a container's record into an OCI runtime specification and speaks to berth-supervisor, which
// starts what the specification says. It keeps no state of containers: what runs is what the supervisor knows.
package runtime
