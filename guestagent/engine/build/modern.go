//go:build linux

package build

import (
	"context"
	"encoding/json"
	"io"

	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/moby/api/types/build"
	"google.golang.org/protobuf/proto"
)

// Kinds of auxiliary messages in the stream of a build.
const (
	auxTrace = "moby.buildkit.trace" // a StatusResponse of BuildKit, in base64
	auxImage = "moby.image.id"
)

// modern builds for a client that knows BuildKit: its progress is passed on as it is.
func (b *Builder) modern(ctx context.Context, k *kit, r *Request, w io.Writer) (string, error) {
	req, err := b.request(r)
	if err != nil {
		return "", err
	}
	switch r.Remote {
	case "client-session":
	case "":
		url, done := k.worker.contexts.offer(r.Body)
		defer done()
		req.FrontendAttrs["context"] = url
	default:
		req.FrontendAttrs["context"] = r.Remote
	}
	id, err := k.solve(ctx, req, func(s *controlapi.StatusResponse) error {
		b, err := proto.Marshal(s)
		if err != nil {
			return err
		}
		return aux(w, auxTrace, b)
	})
	if err != nil || id == "" {
		return "", err
	}
	return id, aux(w, auxImage, build.Result{ID: id})
}

// aux writes an auxiliary message; without a kind where kind is empty.
func aux(w io.Writer, kind string, v any) error {
	b, err := json.Marshal(struct {
		ID  string `json:"id,omitempty"`
		Aux any    `json:"aux"`
	}{kind, v})
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\r', '\n'))
	return err
}
