package main

func verbs() map[string]verb { return map[string]verb{"keep": keep, "serve": serve, "ui": window} }
