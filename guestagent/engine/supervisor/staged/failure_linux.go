//go:build cgo && seccomp

package staged

import (
	"errors"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/stage"
)

// explain gives a stage's failure the protocol's words: the command's, the specification's or our own.
func explain(err error) error {
	var f *stage.Failure
	switch {
	case !errors.As(err, &f):
		return err
	case f.Exec:
		return &proto.Error{Code: proto.CodeExec, Errno: f.Errno, Message: f.Message}
	}
	return &proto.Error{Code: proto.CodeInvalid, Message: f.Message}
}

// invalid says that a specification asks for what cannot be.
func invalid(err error) error {
	return &proto.Error{Code: proto.CodeInvalid, Message: err.Error()}
}
