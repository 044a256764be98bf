// Package sandbox runs the commands of a build: BuildKit's executor over berth-supervisor. A command runs as a
// container does, with the same namespaces, limits, capabilities, seccomp profile and networks, on the root and with
// the mounts that BuildKit gives; no record of it is kept. It knows nothing of Dockerfiles and images.
//
// The life of a command: its root is mounted below Layout.BuildRun(), its network is attached, its streams are joined,
// it is started and waited for; then all of that is taken away again, whatever failed. What an engine that was killed
// leaves is cleared by Clear.
package sandbox
