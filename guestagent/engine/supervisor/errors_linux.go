package supervisor

import (
	"errors"
	"fmt"
	"os"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/streams"
	"golang.org/x/sys/unix"
)

func invalid(format string, args ...any) error {
	return &proto.Error{Code: proto.CodeInvalid, Message: fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) error {
	return &proto.Error{Code: proto.CodeConflict, Message: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &proto.Error{Code: proto.CodeNotFound, Message: fmt.Sprintf(format, args...)}
}

// wireError is an error as the engine gets it.
func wireError(err error) *proto.Error {
	var e *proto.Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, streams.ErrNoTerminal) {
		return &proto.Error{Code: proto.CodeConflict, Message: err.Error()}
	}
	return &proto.Error{Code: proto.CodeInternal, Message: err.Error()}
}

// shut closes a socket for its peer too where another process holds a duplicate.
func shut(f *os.File) {
	unix.Shutdown(int(f.Fd()), unix.SHUT_RDWR)
	f.Close()
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}
