// Package keep lets the supervisor die without harm: a second, simple process, the keeper, holds duplicates of every
// descriptor that must outlive it, and starts the next. Nothing of a container is known here; descriptors have a key
// and a note, which the supervisor alone understands.
//
//	supervisor -> keeper    Put key note +descriptors     hold these, instead of what the key had
//	                        Drop key                      let go
//	keeper -> supervisor    Put … for all that is held    once, when a supervisor starts
//	                        Ready                         that was all
//	                        Exit pid status               a child of a dead supervisor has ended
//
// The keeper also holds the listening socket, so that calls wait for the next supervisor instead of failing.
package keep
