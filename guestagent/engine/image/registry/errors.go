package registry

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	cerrdefs "github.com/containerd/errdefs"
)

// Access is what was tried when an error came.
type Access struct {
	Ref        string // familiar reference, with tag or digest
	Repository string // familiar name
	LoggedIn   bool   // credentials were sent
	Push       bool
}

// Translate words a registry's error as docker does. Errors it does not know keep their text and gain the operation.
func Translate(err error, a Access) error {
	var known *errdefs.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.As(err, &known):
		return err
	}
	status, code, message := reason(err)
	switch {
	case code == "DENIED" || status == http.StatusForbidden:
		return a.denied(orText(message, "requested access to the resource is denied"), "denied")
	case status == http.StatusUnauthorized || errors.Is(err, docker.ErrInvalidAuthorization) || strings.Contains(err.Error(), "authorization failed"):
		return a.unauthorized(message)
	case code == "NAME_UNKNOWN":
		return errdefs.NotFound("repository %s not found: name unknown: %s", a.Repository, orText(message, "repository name not known to registry"))
	case code == "TOOMANYREQUESTS" || status == http.StatusTooManyRequests:
		return errdefs.Unavailable("toomanyrequests: %s", orText(message, "too many requests"))
	case !a.Push && (code == "MANIFEST_UNKNOWN" || status == http.StatusNotFound || cerrdefs.IsNotFound(err)):
		return errdefs.NotFound("manifest for %s not found: manifest unknown: %s", a.Ref, orText(message, "manifest unknown"))
	case status != 0:
		return errdefs.System("received unexpected HTTP status: %d %s", status, orText(message, http.StatusText(status)))
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		return errdefs.System("%s %q: %w", ue.Op, ue.URL, ue.Err)
	}
	return err
}

func (a Access) denied(message, word string) error {
	if a.Push {
		return errdefs.Forbidden("%s: %s", word, message)
	}
	return errdefs.NotFound("pull access denied for %s, repository does not exist or may require 'docker login': %s: %s", a.Repository, word, message).
		WithHint("log in to the registry with: berth login")
}

func (a Access) unauthorized(message string) error {
	message = orText(message, "authentication required")
	if a.LoggedIn {
		return errdefs.Unauthorized("unauthorized: %s", message)
	}
	if a.Push {
		return errdefs.Unauthorized("unauthorized: %s", message).WithHint("log in to the registry with: berth login")
	}
	return a.denied(message, "unauthorized")
}

// reason digs out the HTTP status, the registry's error code and its message; zero values where there is none.
func reason(err error) (status int, code, message string) {
	var un remoteerrors.ErrUnexpectedStatus
	var up *remoteerrors.ErrUnexpectedStatus
	switch {
	case errors.As(err, &un):
	case errors.As(err, &up):
		un = *up
	default:
		var list docker.Errors
		if errors.As(err, &list) && len(list) > 0 {
			var e docker.Error
			if errors.As(list[0], &e) {
				return 0, e.Code.String(), e.Message
			}
			if c, ok := list[0].(docker.ErrorCode); ok { //nolint:errorlint // Errors holds bare codes
				return 0, c.String(), c.Message()
			}
		}
		return 0, "", ""
	}
	code, message = parseBody(un.Body)
	return un.StatusCode, code, message
}

// parseBody reads the distribution specification's error document. Control characters of a hostile registry do not
// reach a person's terminal, and the message is cut at 500 bytes.
func parseBody(body []byte) (code, message string) {
	var doc struct {
		Errors []struct{ Code, Message string } `json:"errors"`
	}
	if json.Unmarshal(body, &doc) != nil || len(doc.Errors) == 0 {
		return "", ""
	}
	return clean(doc.Errors[0].Code, 64), clean(doc.Errors[0].Message, 500)
}

func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}

func orText(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
