// Package stories tells what people do with the engine, through the library that docker's own clients are made of, and
// what happens to them when a program is killed or the machine gives less than it should.
package stories
