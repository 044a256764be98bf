package session

import (
	"errors"
	"fmt"

	"github.com/berthhq/berth/internal/errdefs"
)

// Exit codes, as docker's.
const (
	CodeFailure       = 1   // the command failed
	CodeEngine        = 125 // run, create: the engine refused
	CodeNotExecutable = 126 // run: the program cannot be executed
	CodeNotFound      = 127 // run: the program does not exist
)

// ExitError carries the exit code of the program. Err nil means: say nothing more (the container's own exit code).
type ExitError struct {
	Code int
	Err  error
	Help string // the command whose --help may help, such as "run"; "" for none
}

// Error is the message, or the bare code.
func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Code)
	}
	return e.Err.Error()
}

// Unwrap gives the cause.
func (e *ExitError) Unwrap() error { return e.Err }

// Exit ends the program with a code and no message; nil for 0.
func Exit(code int) error {
	if code == 0 {
		return nil
	}
	return &ExitError{Code: code}
}

// Usage marks an error of the command line itself. Its advice is the command's --help.
func Usage(command, format string, args ...any) error {
	return &ExitError{Code: CodeFailure, Err: errdefs.Invalid(format, args...), Help: command}
}

// Code is the exit code of an error: 0 for nil, 1 where nothing else is known.
func Code(err error) int {
	var e *ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.Code
	}
	return CodeFailure
}
