//go:build !linux && !darwin

package main

// verbs are none yet: the drivers of these systems come with their issue.
func verbs() map[string]verb { return nil }
