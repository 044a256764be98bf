// Package runline turns a "docker run …" line, as people find and paste it, into what the Engine API is asked to create,
// and a container back into its "berth run …" line. Lines are read by the command line's own flags (package runflags).
//
// A line is foreign: nothing of it is executed, no file that it names is opened, no variable of this process is put into
// it, and what it can make grow is bounded. It talks to no engine.
package runline

import "github.com/moby/moby/api/types/container"

// Line is what a line says.
type Line struct {
	Name, Platform string
	Pull           string // "always", "missing" or "never"
	Run            bool   // run, not create
	Create         container.CreateRequest
	Left           []Left
}

// Left is a piece of a line, or a field of a container, that could not be carried over.
type Left struct {
	Text string // as written: "--env-file .env", "$TOKEN"; or the field's name: "HostConfig.MaskedPaths"
	Code Code
	Why  string // a sentence for a person, in English
}

// Code is why something was left: a program's name for the sentence.
type Code string

// The reasons.
const (
	CodeVariable Code = "variable" // a variable or a command's output of the shell that the line was written for; the text stands for it
	CodeEnv      Code = "env"      // -e NAME: the value is that of the environment the line was written for
	CodeFile     Code = "file"     // it names a file to be read
	CodeRelative Code = "relative" // a path that begins where the line is run
	CodeTerminal Code = "terminal" // it is about the terminal of whoever runs the line
	CodeNoFlag   Code = "no-flag"  // no flag says this
)

func (c Code) sentence() string {
	switch c {
	case CodeVariable:
		return "this is known only to the shell that the line was written for: put in what it stands for"
	case CodeEnv:
		return "the value comes from the environment where the line is run: give it here"
	case CodeFile:
		return "the line would read this file: files are not read from a pasted line"
	case CodeRelative:
		return "this path begins where the line is run: give it from the root"
	case CodeTerminal:
		return "this is about the terminal where the line is run"
	default:
		return "no flag of run says this"
	}
}

func left(text string, c Code) Left { return Left{Text: text, Code: c, Why: c.sentence()} }
