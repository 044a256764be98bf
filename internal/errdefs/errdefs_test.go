package errdefs

import (
	"context"
	"errors"
	"fmt"
	"testing"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

func TestKindsAndStatuses(t *testing.T) {
	for _, tc := range []struct {
		err    error
		kind   Kind
		status int
	}{
		{Invalid("x"), KindInvalid, 400},
		{Unauthorized("x"), KindUnauthorized, 401},
		{Forbidden("x"), KindForbidden, 403},
		{NotFound("x"), KindNotFound, 404},
		{Conflict("x"), KindConflict, 409},
		{NotModified("x"), KindNotModified, 304},
		{NotImplemented("x"), KindNotImplemented, 501},
		{Unavailable("x"), KindUnavailable, 503},
		{System("x"), KindUnknown, 500},
		{errors.New("x"), KindUnknown, 500},
		{fmt.Errorf("reading x: %w", NotFound("y")), KindNotFound, 404},
		{context.Canceled, KindCanceled, 499},
		{fmt.Errorf("pulling x: %w", context.Canceled), KindCanceled, 499},
		{context.DeadlineExceeded, KindUnknown, 500},
		{cerrdefs.ErrNotFound, KindNotFound, 404},
		{fmt.Errorf("snapshot x: %w", cerrdefs.ErrAlreadyExists), KindConflict, 409},
		{cerrdefs.ErrFailedPrecondition, KindConflict, 409},
		{cerrdefs.ErrAborted, KindConflict, 409},
		{cerrdefs.ErrOutOfRange, KindInvalid, 400},
		{cerrdefs.ErrResourceExhausted, KindUnavailable, 503},
		{container.ValidateRestartPolicy(container.RestartPolicy{Name: "sometimes"}), KindInvalid, 400},
	} {
		if got := KindOf(tc.err); got != tc.kind {
			t.Errorf("KindOf(%v) = %d, want %d", tc.err, got, tc.kind)
		}
		if got := HTTPStatus(tc.err); got != tc.status {
			t.Errorf("HTTPStatus(%v) = %d, want %d", tc.err, got, tc.status)
		}
	}
	if got := HTTPStatus(nil); got != 200 {
		t.Errorf("HTTPStatus(nil) = %d, want 200", got)
	}
}

// The nearest kind wins: who wrapped the error knew what it meant there.
func TestOuterKindWins(t *testing.T) {
	err := Conflict("network x is in use: %w", NotFound("container y"))
	if got := KindOf(err); got != KindConflict {
		t.Errorf("KindOf = %d, want a conflict", got)
	}
	if !cerrdefs.IsConflict(err) || !errors.Is(err, cerrdefs.ErrNotFound) {
		t.Error("containerd's predicates do not see both kinds")
	}
}

func TestMessagesAndHints(t *testing.T) {
	cause := errors.New("permission denied")
	err := System("opening %s: %w", "/x", cause)
	if err.Error() != "opening /x: permission denied" || !errors.Is(err, cause) {
		t.Errorf("err = %v", err)
	}
	hinted := Forbidden("cannot mount").WithHint("run %s as root", "berth")
	for _, tc := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{err, ""},
		{hinted, "run berth as root"},
		{fmt.Errorf("starting web: %w", hinted), "run berth as root"},
		{Conflict("starting web: %w", hinted), "run berth as root"},
	} {
		if got := HintOf(tc.err); got != tc.want {
			t.Errorf("HintOf(%v) = %q, want %q", tc.err, got, tc.want)
		}
	}
}
