package main

// verbs are those that need no driver of virtual machines.
func verbs() map[string]verb { return map[string]verb{"ui": window} }
