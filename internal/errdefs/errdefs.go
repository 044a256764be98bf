// Package errdefs is berth's vocabulary of failure: a few kinds of error, one table from kind to HTTP status and
// exit code, and the hint that tells a person what to do. Everything that crosses a boundary (API, command line)
// is classified here and nowhere else. It must not import any other package of berth.
package errdefs

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	cerrdefs "github.com/containerd/errdefs"
)

// Kind classifies an error by what the caller can do about it.
type Kind int

// The kinds. The HTTP status of each is that of the Docker Engine API.
const (
	KindUnknown        Kind = iota // a fault of the engine itself: 500
	KindInvalid                    // the request is wrong: 400
	KindUnauthorized               // credentials missing or refused: 401
	KindForbidden                  // not allowed whoever asks: 403
	KindNotFound                   // the named object does not exist: 404
	KindConflict                   // the object's state forbids it: 409
	KindNotModified                // nothing to do, the state is already so: 304
	KindNotImplemented             // this engine does not do it: 501
	KindUnavailable                // try again later: 503
	KindCanceled                   // the caller went away: 499 in logs, never seen by a client
)

var table = []struct {
	kind     Kind
	status   int
	sentinel error
}{
	{KindInvalid, http.StatusBadRequest, cerrdefs.ErrInvalidArgument},
	{KindUnauthorized, http.StatusUnauthorized, cerrdefs.ErrUnauthenticated},
	{KindForbidden, http.StatusForbidden, cerrdefs.ErrPermissionDenied},
	{KindNotFound, http.StatusNotFound, cerrdefs.ErrNotFound},
	{KindConflict, http.StatusConflict, cerrdefs.ErrConflict},
	{KindNotModified, http.StatusNotModified, cerrdefs.ErrNotModified},
	{KindNotImplemented, http.StatusNotImplemented, cerrdefs.ErrNotImplemented},
	{KindUnavailable, http.StatusServiceUnavailable, cerrdefs.ErrUnavailable},
	{KindCanceled, 499, context.Canceled},
}

// foreign are the kinds of errors that come from containerd's and moby's packages, which mark many of theirs by a method
// such as NotFound() and not by a sentinel.
var foreign = []struct {
	kind Kind
	is   func(error) bool
}{
	{KindInvalid, cerrdefs.IsInvalidArgument},
	{KindInvalid, cerrdefs.IsOutOfRange},
	{KindUnauthorized, cerrdefs.IsUnauthorized},
	{KindForbidden, cerrdefs.IsPermissionDenied},
	{KindNotFound, cerrdefs.IsNotFound},
	{KindConflict, cerrdefs.IsConflict},
	{KindConflict, cerrdefs.IsAlreadyExists},
	{KindConflict, cerrdefs.IsFailedPrecondition},
	{KindConflict, cerrdefs.IsAborted},
	{KindNotModified, cerrdefs.IsNotModified},
	{KindNotImplemented, cerrdefs.IsNotImplemented},
	{KindUnavailable, cerrdefs.IsUnavailable},
	{KindUnavailable, cerrdefs.IsResourceExhausted},
}

// Error is an error of a known kind. Msg is one line naming the object; Hint, if any, is one line on what to do.
type Error struct {
	Kind  Kind
	Msg   string
	Hint  string
	Cause error
}

// Error returns the message alone: the cause is already part of it where a person needs it.
func (e *Error) Error() string { return e.Msg }

// Unwrap gives errors.Is and errors.As the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is makes the error match the sentinel of its kind, so that containerd's errdefs.IsNotFound and its like work on it.
func (e *Error) Is(target error) bool {
	for _, row := range table {
		if row.kind == e.Kind {
			return target == row.sentinel
		}
	}
	return false
}

// WithHint returns a copy of the error that carries advice.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

func build(k Kind, format string, args []any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: k, Msg: err.Error(), Cause: errors.Unwrap(err)}
}

// Invalid makes an error of KindInvalid. As in all constructors here, %w keeps the cause reachable.
func Invalid(format string, args ...any) *Error { return build(KindInvalid, format, args) }

// Unauthorized makes an error of KindUnauthorized.
func Unauthorized(format string, args ...any) *Error { return build(KindUnauthorized, format, args) }

// Forbidden makes an error of KindForbidden.
func Forbidden(format string, args ...any) *Error { return build(KindForbidden, format, args) }

// NotFound makes an error of KindNotFound.
func NotFound(format string, args ...any) *Error { return build(KindNotFound, format, args) }

// Conflict makes an error of KindConflict.
func Conflict(format string, args ...any) *Error { return build(KindConflict, format, args) }

// NotModified makes an error of KindNotModified.
func NotModified(format string, args ...any) *Error { return build(KindNotModified, format, args) }

// NotImplemented makes an error of KindNotImplemented.
func NotImplemented(format string, args ...any) *Error {
	return build(KindNotImplemented, format, args)
}

// Unavailable makes an error of KindUnavailable.
func Unavailable(format string, args ...any) *Error { return build(KindUnavailable, format, args) }

// System makes an error of KindUnknown: a fault of the engine or of the machine.
func System(format string, args ...any) *Error { return build(KindUnknown, format, args) }

// KindOf finds the kind of an error, looking through wrapping and at containerd's sentinels.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) && e.Kind != KindUnknown {
		return e.Kind
	}
	for _, row := range table {
		if errors.Is(err, row.sentinel) {
			return row.kind
		}
	}
	for _, row := range foreign {
		if row.is(err) {
			return row.kind
		}
	}
	return KindUnknown
}

// HTTPStatus is the status the API answers an error with; 200 for nil.
func HTTPStatus(err error) int {
	if err == nil {
		return http.StatusOK
	}
	k := KindOf(err)
	for _, row := range table {
		if row.kind == k {
			return row.status
		}
	}
	return http.StatusInternalServerError
}

// HintOf finds the advice an error carries, or "".
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Cause
	}
	return ""
}
