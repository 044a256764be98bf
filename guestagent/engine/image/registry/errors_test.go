package registry

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	cerrdefs "github.com/containerd/errdefs"
)

func status(code int, body string) error {
	return fmt.Errorf("wrapped: %w", remoteerrors.ErrUnexpectedStatus{StatusCode: code, Status: fmt.Sprint(code), Body: []byte(body)})
}

func TestTranslate(t *testing.T) {
	pull := Access{Ref: "x:1", Repository: "x"}
	logged := Access{Ref: "x:1", Repository: "x", LoggedIn: true}
	push := Access{Ref: "x:1", Repository: "x", Push: true}
	for _, tt := range []struct {
		name string
		err  error
		a    Access
		want string
		kind errdefs.Kind
	}{
		{"not found", fmt.Errorf("x: %w", cerrdefs.ErrNotFound), pull, "manifest for x:1 not found: manifest unknown: manifest unknown", errdefs.KindNotFound},
		{"unknown manifest", status(404, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no tag"}]}`), pull, "manifest for x:1 not found: manifest unknown: no tag", errdefs.KindNotFound},
		{"unknown name", status(404, `{"errors":[{"code":"NAME_UNKNOWN"}]}`), pull, "repository x not found: name unknown: repository name not known to registry", errdefs.KindNotFound},
		{"denied", status(403, ""), pull, "pull access denied for x, repository does not exist or may require 'docker login': denied: requested access to the resource is denied", errdefs.KindNotFound},
		{"denied push", status(403, ""), push, "denied: requested access to the resource is denied", errdefs.KindForbidden},
		{"no credentials", docker.ErrInvalidAuthorization, pull, "pull access denied for x, repository does not exist or may require 'docker login': unauthorized: authentication required", errdefs.KindNotFound},
		{"bad credentials", status(401, ""), logged, "unauthorized: authentication required", errdefs.KindUnauthorized},
		{"push without", status(401, ""), push, "unauthorized: authentication required", errdefs.KindUnauthorized},
		{"limit", status(429, ""), pull, "toomanyrequests: too many requests", errdefs.KindUnavailable},
		{"fault", status(502, "<html>"), pull, "received unexpected HTTP status: 502 Bad Gateway", errdefs.KindUnknown},
		{"network", fmt.Errorf("a: %w", &url.Error{Op: "Get", URL: "http://r/v2/", Err: errors.New("connection refused")}), pull, `Get "http://r/v2/": connection refused`, errdefs.KindUnknown},
		{"canceled", fmt.Errorf("a: %w", context.Canceled), pull, "a: context canceled", errdefs.KindCanceled},
		{"ours", errdefs.Conflict("c"), pull, "c", errdefs.KindConflict},
		{"other", errors.New("disk full"), pull, "disk full", errdefs.KindUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Translate(tt.err, tt.a)
			if err.Error() != tt.want || errdefs.KindOf(err) != tt.kind {
				t.Errorf("%q (%v)\nwant %q (%v)", err, errdefs.KindOf(err), tt.want, tt.kind)
			}
		})
	}
	if Translate(nil, pull) != nil {
		t.Error("nil became an error")
	}
}

func FuzzParseBody(f *testing.F) {
	f.Add([]byte(`{"errors":[{"code":"DENIED","message":"no"}]}`))
	f.Add([]byte("{\"errors\":[{\"code\":\"\x1b[31m\",\"message\":\"\\u001b]0;x\\u0007\"}]}"))
	f.Add([]byte(`<html>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		code, msg := parseBody(b)
		if len(code) > 70 || len(msg) > 510 || strings.ContainsAny(code+msg, "\x1b\n\r\x07\x00") {
			t.Errorf("%q, %q", code, msg)
		}
	})
}
