//go:build cgo && seccomp

package libct

import (
	"errors"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"golang.org/x/sys/unix"
)

// explain finds the reason in libcontainer's error, whose text alone has come from the container's process. As in
// docker the text decides the exit code: what is missing gives 127, what may not be executed 126.
func explain(err error) error {
	var known *proto.Error
	if errors.As(err, &known) {
		return err
	}
	text := err.Error()
	for _, prefix := range []string{"unable to start container process: ", "error during container init: "} {
		if _, rest, ok := strings.Cut(text, prefix); ok {
			text = rest
		}
	}
	var errno unix.Errno
	switch {
	case strings.Contains(text, "executable file not found in"), strings.Contains(text, unix.ENOENT.Error()):
		errno = unix.ENOENT
	case strings.Contains(text, unix.EACCES.Error()):
		errno = unix.EACCES
	case strings.Contains(text, unix.EISDIR.Error()):
		errno = unix.EISDIR
	case strings.Contains(text, unix.ENOEXEC.Error()):
		errno = unix.ENOEXEC
	case strings.Contains(text, unix.ENOTDIR.Error()):
		errno = unix.ENOTDIR
	default:
		return &proto.Error{Code: proto.CodeInternal, Message: "OCI runtime create failed: " + text}
	}
	return &proto.Error{Code: proto.CodeExec, Errno: int(errno), Message: "OCI runtime create failed: " + text}
}

func invalid(err error) error {
	return &proto.Error{Code: proto.CodeInvalid, Message: err.Error()}
}
