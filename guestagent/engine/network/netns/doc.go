// Package netns makes network namespaces, bridges and the veth pairs between them. It knows neither networks nor
// containers: names, addresses and interfaces are given. Everything that must happen inside a namespace happens on a
// locked thread that is either given back in the namespace it came from or dies.
package netns
