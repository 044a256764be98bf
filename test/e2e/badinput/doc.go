// Package badinput gives the built command line what it must refuse, and checks docker's exit code, one line that names
// the object, and that nothing is left behind.
package badinput
