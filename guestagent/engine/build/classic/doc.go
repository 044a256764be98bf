// Package classic words a build for clients that know docker's classic builder alone: the steps of a Dockerfile as
// "Step 1/3 : FROM x", what they print, and how they fail. It reads Dockerfiles and BuildKit's progress, and builds
// nothing itself.
//
// BuildKit carries out stages at the same time and leaves out what the target does not need. A Printer tells of steps
// in the order of the Dockerfile all the same: what a later step says is kept until the earlier ones are done.
package classic
