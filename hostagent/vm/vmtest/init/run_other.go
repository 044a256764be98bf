//go:build !linux

package main

func run() { panic("the guest is Linux") }
