// Package container is the life of containers: records, names, the state machine, starts and stops, restart policies, exec, health checks.
package container
