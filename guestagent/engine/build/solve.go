//go:build linux

package build

import (
	"context"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/moby/buildkit/identity"
	"github.com/moby/buildkit/util/entitlements"
	apinet "github.com/moby/moby/api/types/network"
	"golang.org/x/sync/errgroup"
)

// cacheOnly is the output of a build whose result nobody wants.
const cacheOnly = "cacheonly"

// Build makes an image and gives its ID, which is empty where the result goes elsewhere. Progress goes to w as
// newline-separated jsonstream messages. Errors: Invalid for what the request or its Dockerfile asks for; a
// *jsonstream.Error with its exit code where a command of a classic build fails.
func (b *Builder) Build(ctx context.Context, r *Request, w io.Writer) (id string, err error) {
	if strings.HasPrefix(r.BuildID, uploadPrefix) {
		return "", b.jobs.bring(ctx, r.BuildID, r.Body)
	}
	if r.Tags, err = tagNames(r.Tags); err != nil {
		return "", err
	}
	if len(r.Outputs) > 1 {
		return "", errdefs.Invalid("multiple outputs not supported")
	}
	ctx, j, end, err := b.jobs.begin(ctx, r.BuildID)
	if err != nil {
		return "", err
	}
	defer end()
	if r.Remote == "upload-request" {
		body, done, err := j.take(ctx)
		if err != nil {
			return "", err
		}
		defer done()
		r.Body, r.Remote = body, ""
	}
	k, done, err := b.open(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	if r.Classic {
		return b.classic(ctx, k, r, w)
	}
	return b.modern(ctx, k, r, w)
}

// request puts the request in BuildKit's form, but for where its context is.
func (b *Builder) request(r *Request) (*controlapi.SolveRequest, error) {
	attrs, err := r.frontendAttrs(b.o.HostGateways)
	if err != nil {
		return nil, err
	}
	req := &controlapi.SolveRequest{
		Ref: identity.NewID(), Frontend: "dockerfile.v0", FrontendAttrs: attrs, Session: r.SessionID, Cache: &controlapi.CacheOptions{},
	}
	out := Output{Type: exporterMoby}
	if len(r.Outputs) == 1 {
		out = r.Outputs[0]
	}
	if out.Type != cacheOnly {
		to := map[string]string{}
		for k, v := range out.Attrs {
			to[k] = v
		}
		if len(r.Tags) > 0 && (out.Type == exporterMoby || out.Type == client.ExporterImage) {
			to[string(exptypes.OptKeyName)] = strings.Join(r.Tags, ",")
		}
		req.Exporters = []*controlapi.Exporter{{Type: out.Type, Attrs: to}}
	}
	if v := r.Args["BUILDKIT_INLINE_CACHE"]; v != nil {
		if on, err := strconv.ParseBool(*v); err == nil && on {
			req.Cache.Exports = append(req.Cache.Exports, &controlapi.CacheOptionsEntry{Type: "inline"})
		}
	}
	if r.NetworkMode == apinet.NetworkHost {
		req.Entitlements = append(req.Entitlements, string(entitlements.EntitlementNetworkHost))
	}
	return req, nil
}

// lateProgress is how long the progress of a build that failed may take to end.
const lateProgress = 2 * time.Second

// solve runs a build; each is called with its progress, in order, and for the last time before solve returns.
func (k *kit) solve(ctx context.Context, req *controlapi.SolveRequest, each func(*controlapi.StatusResponse) error) (id string, err error) {
	// The progress of a build that is cancelled is followed to its end: only the build itself is.
	follow, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() error {
		resp, err := k.controller.Solve(ctx, req)
		if err != nil {
			time.AfterFunc(lateProgress, leave) // one that was refused outright has no progress to wait for
		}
		if err == nil {
			id = resp.ExporterResponse[exptypes.ExporterImageDigestKey]
		}
		return err
	})
	eg.Go(func() error {
		return k.controller.Status(&controlapi.StatusRequest{Ref: req.Ref}, &stream[*controlapi.StatusResponse]{ctx: follow, each: each})
	})
	return id, eg.Wait()
}
