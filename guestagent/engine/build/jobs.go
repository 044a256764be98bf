//go:build linux

package build

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
)

// uploadPrefix marks the request that brings the context of another one, which names the same build.
const uploadPrefix = "upload-request:"

// uploadWait is how long the two requests of one build wait for each other.
const uploadWait = 5 * time.Second

// jobs are the builds under way whose clients gave them an ID.
type jobs struct {
	mu   sync.Mutex
	byID map[string]*job
	all  map[*job]bool
}

// job is one build.
type job struct {
	cancel  context.CancelFunc
	uploads chan upload
}

// upload is a context on its way from the request that brings it to the one that builds.
type upload struct {
	body io.Reader
	done chan<- struct{} // closed when the body is no longer read
}

func newJobs() *jobs { return &jobs{byID: map[string]*job{}, all: map[*job]bool{}} }

// begin registers a build; end is to be called when it is over. Errors: Conflict where one of that ID is under way.
func (j *jobs) begin(ctx context.Context, id string) (_ context.Context, _ *job, end func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.job(id)
	if b.cancel != nil {
		cancel()
		return nil, nil, nil, errdefs.Conflict("build %s is under way already", id)
	}
	b.cancel = cancel
	j.all[b] = true
	return ctx, b, func() {
		cancel()
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.all, b)
		if j.byID[id] == b {
			delete(j.byID, id)
		}
	}, nil
}

// job gives the job of an ID, a new one where there is none; jobs without an ID are nobody else's.
func (j *jobs) job(id string) *job {
	if b := j.byID[id]; b != nil && id != "" {
		return b
	}
	b := &job{uploads: make(chan upload)}
	if id != "" {
		j.byID[id] = b
	}
	return b
}

// bring hands a context to the build that waits for it, and returns when it has been read.
func (j *jobs) bring(ctx context.Context, id string, body io.Reader) error {
	id = strings.TrimPrefix(id, uploadPrefix)
	j.mu.Lock()
	b := j.job(id)
	j.mu.Unlock()
	done := make(chan struct{})
	select {
	case b.uploads <- upload{body: body, done: done}:
	case <-time.After(uploadWait):
		j.mu.Lock()
		defer j.mu.Unlock()
		if b.cancel == nil && j.byID[id] == b {
			delete(j.byID, id)
		}
		return errdefs.NotFound("no build %s waits for a context", id)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take waits for the context of a build.
func (b *job) take(ctx context.Context) (io.Reader, func(), error) {
	select {
	case u := <-b.uploads:
		return u.body, sync.OnceFunc(func() { close(u.done) }), nil
	case <-time.After(uploadWait):
		return nil, nil, errdefs.Invalid("no context was uploaded for the build")
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

func (j *jobs) cancelOne(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if b := j.byID[id]; b != nil && b.cancel != nil {
		b.cancel()
	}
}

func (j *jobs) cancelAll() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for b := range j.all {
		b.cancel()
	}
}
