// Package park is the supervisor's side of package stage: it keeps processes ready that wait in namespaces and a
// cgroup of their own to become containers, so that a start has only left to do what depends on the container. It
// knows nothing of streams, logs or records. A parked process ends by itself when its supervisor does.
package park
