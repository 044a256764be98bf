package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/editapi"
	"github.com/berthhq/berth/test/coverage/record"
	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// fake is an engine that notes what it was asked and answers what a test puts in.
type fake struct {
	mu    sync.Mutex
	calls []string
	fail  map[string]error // by method

	created  *container.CreateRequest
	updated  *container.UpdateConfig
	execd    *container.ExecCreateRequest
	started  *container.ExecStartRequest
	joined   *network.ConnectRequest
	auth     *registry.AuthConfig
	list     []container.Summary
	images   []image.Summary
	inspect  *container.InspectResponse
	image    *image.InspectResponse
	net      *network.Inspect
	info     *system.Info
	usage    *system.DiskUsage
	usageFor DiskUsageOptions
	buildFor BuildOptions
	pruneFor BuildPruneOptions

	during   func(context.Context) error // while a container is created
	wait     func(context.Context) (container.WaitResponse, error)
	logs     LogStream
	tty      bool
	attach   func(ctx context.Context, hijack func(bool) Hijack) error
	progress func(ctx context.Context, w io.Writer) error
	build    func(body io.Reader, w io.Writer) (string, error)
	events   func(ctx context.Context, since, until time.Time, ready func(), each func(events.Message) error) error
	stats    func() (container.StatsResponse, error)
	body     string // what was uploaded
	archive  string
}

// note records one call as "Method arg arg" and gives the error the test wants of it.
func (f *fake) note(method string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, strings.TrimRight(method+" "+fmt.Sprintln(args...), " \n"))
	return f.fail[method]
}

// last is the newest call, "" if there was none.
func (f *fake) last() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.calls) == 0 {
		return ""
	}
	return f.calls[len(f.calls)-1]
}

func deref(n *int) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

func platformText(p *ocispec.Platform) string {
	if p == nil {
		return "-"
	}
	return strings.Trim(p.OS+"/"+p.Architecture+"/"+p.Variant, "/")
}

func (f *fake) ContainerCreate(ctx context.Context, name string, p *ocispec.Platform, req *container.CreateRequest) (container.CreateResponse, error) {
	f.created = req
	if f.during != nil {
		if err := f.during(ctx); err != nil {
			return container.CreateResponse{}, err
		}
	}
	return container.CreateResponse{ID: "c1"}, f.note("ContainerCreate", name, platformText(p))
}
func (f *fake) ContainerStart(_ context.Context, name string) error {
	return f.note("ContainerStart", name)
}
func (f *fake) ContainerStop(_ context.Context, name, signal string, timeout *int) error {
	return f.note("ContainerStop", name, "signal="+signal, deref(timeout))
}
func (f *fake) ContainerRestart(_ context.Context, name, signal string, timeout *int) error {
	return f.note("ContainerRestart", name, "signal="+signal, deref(timeout))
}
func (f *fake) ContainerKill(_ context.Context, name, signal string) error {
	return f.note("ContainerKill", name, signal)
}
func (f *fake) ContainerPause(_ context.Context, name string) error {
	return f.note("ContainerPause", name)
}
func (f *fake) ContainerUnpause(_ context.Context, name string) error {
	return f.note("ContainerUnpause", name)
}
func (f *fake) ContainerRename(_ context.Context, name, newName string) error {
	return f.note("ContainerRename", name, newName)
}
func (f *fake) ContainerUpdate(_ context.Context, name string, cfg *container.UpdateConfig) (container.UpdateResponse, error) {
	f.updated = cfg
	return container.UpdateResponse{Warnings: []string{"w"}}, f.note("ContainerUpdate", name)
}
func (f *fake) ContainerRemove(_ context.Context, name string, force, volumes, link bool) error {
	return f.note("ContainerRemove", name, force, volumes, link)
}
func (f *fake) ContainerEditPlan(_ context.Context, name string, c *editapi.Change) (*editapi.Plan, error) {
	return &editapi.Plan{Name: name}, f.note("ContainerEditPlan", name, c.EnvSet)
}

func (f *fake) ContainerEdit(_ context.Context, name string, c *editapi.Change) (*editapi.Plan, error) {
	return &editapi.Plan{Name: name}, f.note("ContainerEdit", name, c.EnvSet)
}

func (f *fake) ContainerPrune(_ context.Context, fl Filters) (container.PruneReport, error) {
	return container.PruneReport{SpaceReclaimed: 7}, f.note("ContainerPrune", fl)
}
func (f *fake) ContainerWait(_ context.Context, name string, cond container.WaitCondition) (func(context.Context) (container.WaitResponse, error), error) {
	return f.wait, f.note("ContainerWait", name, cond)
}
func (f *fake) ContainerList(_ context.Context, o ContainerListOptions) ([]container.Summary, error) {
	return f.list, f.note("ContainerList", o.All, o.Size, o.Limit, o.Filters)
}
func (f *fake) ContainerInspect(_ context.Context, name string, size bool) (*container.InspectResponse, error) {
	return f.inspect, f.note("ContainerInspect", name, size)
}
func (f *fake) ContainerTop(_ context.Context, name, args string) (container.TopResponse, error) {
	return container.TopResponse{Titles: []string{"PID"}, Processes: [][]string{{"1"}}}, f.note("ContainerTop", name, args)
}
func (f *fake) ContainerLogs(_ context.Context, name string, o LogOptions) (bool, LogStream, error) {
	return f.tty, f.logs, f.note("ContainerLogs", name, o.Stdout, o.Stderr, o.Follow, o.Timestamps, o.Details, o.Tail, unix(o.Since), unix(o.Until))
}
func (f *fake) ContainerStats(context.Context, string, bool) (container.StatsResponse, error) {
	return f.stats()
}
func (f *fake) ContainerChanges(_ context.Context, name string) ([]container.FilesystemChange, error) {
	return nil, f.note("ContainerChanges", name)
}
func (f *fake) ContainerAttach(ctx context.Context, name string, o AttachOptions, hijack func(bool) Hijack) error {
	if err := f.note("ContainerAttach", name, o.Stdin, o.Stdout, o.Stderr, o.Stream, o.Logs, o.DetachKeys); err != nil {
		return err
	}
	return f.attach(ctx, hijack)
}
func (f *fake) ContainerResize(_ context.Context, name string, h, w uint16) error {
	return f.note("ContainerResize", name, h, w)
}
func (f *fake) ExecCreate(_ context.Context, name string, req *container.ExecCreateRequest) (string, error) {
	f.execd = req
	return "e1", f.note("ExecCreate", name)
}
func (f *fake) ExecStart(ctx context.Context, id string, req *container.ExecStartRequest, hijack func(bool) Hijack) error {
	f.started = req
	if err := f.note("ExecStart", id, req.Detach, req.Tty); err != nil || req.Detach {
		return err
	}
	return f.attach(ctx, hijack)
}
func (f *fake) ExecInspect(_ context.Context, id string) (*container.ExecInspectResponse, error) {
	return &container.ExecInspectResponse{ID: id}, f.note("ExecInspect", id)
}
func (f *fake) ExecResize(_ context.Context, id string, h, w uint16) error {
	return f.note("ExecResize", id, h, w)
}
func (f *fake) ContainerStatPath(_ context.Context, name, path string) (container.PathStat, error) {
	return container.PathStat{Name: "hosts", Size: 5}, f.note("ContainerStatPath", name, path)
}
func (f *fake) ContainerGetArchive(_ context.Context, name, path string) (io.ReadCloser, container.PathStat, error) {
	return io.NopCloser(strings.NewReader(f.archive)), container.PathStat{Name: "hosts", Size: 5}, f.note("ContainerGetArchive", name, path)
}
func (f *fake) ContainerPutArchive(_ context.Context, name, path string, noOverwrite, copyIDs bool, tar io.Reader) error {
	data, err := io.ReadAll(tar)
	if err != nil {
		return err
	}
	f.body = string(data)
	return f.note("ContainerPutArchive", name, path, noOverwrite, copyIDs)
}
func (f *fake) ContainerExport(ctx context.Context, name string, w io.Writer) error {
	if err := f.note("ContainerExport", name); err != nil {
		return err
	}
	return f.progress(ctx, w)
}
func (f *fake) ImagePull(ctx context.Context, ref string, p *ocispec.Platform, auth *registry.AuthConfig, w io.Writer) error {
	f.auth = auth
	if err := f.note("ImagePull", ref, platformText(p)); err != nil {
		return err
	}
	return f.progress(ctx, w)
}
func (f *fake) ImagePush(ctx context.Context, ref string, p *ocispec.Platform, auth *registry.AuthConfig, w io.Writer) error {
	f.auth = auth
	if err := f.note("ImagePush", ref, platformText(p)); err != nil {
		return err
	}
	return f.progress(ctx, w)
}
func (f *fake) ImageList(_ context.Context, o ImageListOptions) ([]image.Summary, error) {
	return f.images, f.note("ImageList", o.All, o.SharedSize, o.Manifests, o.Filters)
}
func (f *fake) ImageInspect(_ context.Context, ref string, p *ocispec.Platform, manifests bool) (*image.InspectResponse, error) {
	return f.image, f.note("ImageInspect", ref, platformText(p), manifests)
}
func (f *fake) ImageHistory(_ context.Context, ref string, p *ocispec.Platform) ([]image.HistoryResponseItem, error) {
	return nil, f.note("ImageHistory", ref, platformText(p))
}
func (f *fake) ImageImport(_ context.Context, tar io.Reader, o ImportOptions, w io.Writer) error {
	return f.note("ImageImport", o.Source, o.Name, o.Message, platformText(o.Platform), o.Changes)
}

func (f *fake) ImageCommit(_ context.Context, name string, o CommitOptions) (string, error) {
	return "sha256:committed", f.note("ImageCommit", name, o.Reference, o.Author, o.Comment, o.Changes, o.Config != nil)
}

func platformTexts(ps []ocispec.Platform) (out []any) {
	for i := range ps {
		out = append(out, platformText(&ps[i]))
	}
	return out
}

func (f *fake) ImageTag(_ context.Context, ref, target string) error {
	return f.note("ImageTag", ref, target)
}
func (f *fake) ImageRemove(_ context.Context, ref string, force, noPrune bool, ps []ocispec.Platform) ([]image.DeleteResponse, error) {
	return []image.DeleteResponse{{Untagged: ref}}, f.note("ImageRemove", append([]any{ref, force, noPrune}, platformTexts(ps)...)...)
}
func (f *fake) ImagePrune(_ context.Context, fl Filters) (image.PruneReport, error) {
	return image.PruneReport{}, f.note("ImagePrune", fl)
}
func (f *fake) ImageLoad(ctx context.Context, tar io.Reader, p *ocispec.Platform, quiet bool, w io.Writer) error {
	data, err := io.ReadAll(tar)
	if err != nil {
		return err
	}
	f.body = string(data)
	args := []any{quiet}
	if p != nil {
		args = append(args, platformText(p))
	}
	if err := f.note("ImageLoad", args...); err != nil {
		return err
	}
	return f.progress(ctx, w)
}
func (f *fake) ImageSave(ctx context.Context, refs []string, p *ocispec.Platform, w io.Writer) error {
	if err := f.note("ImageSave", refs, platformText(p)); err != nil {
		return err
	}
	return f.progress(ctx, w)
}
func (f *fake) RegistryLogin(_ context.Context, auth *registry.AuthConfig) (registry.AuthResponse, error) {
	f.auth = auth
	return registry.AuthResponse{Status: "Login Succeeded"}, f.note("RegistryLogin", auth.ServerAddress)
}
func (f *fake) DistributionInspect(_ context.Context, ref string, auth *registry.AuthConfig) (registry.DistributionInspect, error) {
	f.auth = auth
	return registry.DistributionInspect{}, f.note("DistributionInspect", ref)
}
func (f *fake) NetworkCreate(_ context.Context, req *network.CreateRequest) (network.CreateResponse, error) {
	return network.CreateResponse{ID: "n1"}, f.note("NetworkCreate", req.Name, req.EnableIPv4 != nil)
}
func (f *fake) NetworkList(_ context.Context, fl Filters) ([]network.Summary, error) {
	return nil, f.note("NetworkList", fl)
}
func (f *fake) NetworkInspect(_ context.Context, name string, verbose bool) (*network.Inspect, error) {
	return f.net, f.note("NetworkInspect", name, verbose)
}
func (f *fake) NetworkRemove(_ context.Context, name string) error {
	return f.note("NetworkRemove", name)
}
func (f *fake) NetworkConnect(_ context.Context, name string, req *network.ConnectRequest) error {
	f.joined = req
	return f.note("NetworkConnect", name, req.Container)
}
func (f *fake) NetworkDisconnect(_ context.Context, name string, req *network.DisconnectRequest) error {
	return f.note("NetworkDisconnect", name, req.Container, req.Force)
}
func (f *fake) NetworkPrune(_ context.Context, fl Filters) (network.PruneReport, error) {
	return network.PruneReport{}, f.note("NetworkPrune", fl)
}
func (f *fake) VolumeCreate(_ context.Context, req *volume.CreateRequest) (*volume.Volume, error) {
	return &volume.Volume{Name: req.Name}, f.note("VolumeCreate", req.Name, req.Driver)
}
func (f *fake) VolumeList(_ context.Context, fl Filters) (volume.ListResponse, error) {
	return volume.ListResponse{}, f.note("VolumeList", fl)
}
func (f *fake) VolumeInspect(_ context.Context, name string) (*volume.Volume, error) {
	return &volume.Volume{Name: name}, f.note("VolumeInspect", name)
}
func (f *fake) VolumeRemove(_ context.Context, name string, force bool) error {
	return f.note("VolumeRemove", name, force)
}
func (f *fake) VolumePrune(_ context.Context, fl Filters) (volume.PruneReport, error) {
	return volume.PruneReport{}, f.note("VolumePrune", fl)
}
func (f *fake) Info(context.Context) (*system.Info, error) { return f.info, f.note("Info") }
func (f *fake) Version(context.Context) (system.VersionResponse, error) {
	return system.VersionResponse{Version: "0.1", Components: []system.ComponentVersion{{Name: "Engine", Details: map[string]string{}}}}, f.note("Version")
}
func (f *fake) DiskUsage(_ context.Context, o DiskUsageOptions) (*system.DiskUsage, error) {
	f.usageFor = o
	return f.usage, f.note("DiskUsage")
}
func (f *fake) Events(ctx context.Context, since, until time.Time, fl Filters, ready func(), each func(events.Message) error) error {
	if err := f.note("Events", unix(since), unix(until), fl); err != nil {
		return err
	}
	return f.events(ctx, since, until, ready, each)
}
func (f *fake) Build(_ context.Context, o BuildOptions, body io.Reader, w io.Writer) (string, error) {
	f.buildFor = o
	if err := f.note("Build", o.Dockerfile); err != nil {
		return "", err
	}
	return f.build(body, w)
}
func (f *fake) BuildCancel(_ context.Context, id string) error { return f.note("BuildCancel", id) }
func (f *fake) BuildPrune(_ context.Context, o BuildPruneOptions) (build.CachePruneReport, error) {
	f.pruneFor = o
	return build.CachePruneReport{}, f.note("BuildPrune")
}
func (f *fake) BuildSession(_ context.Context, conn net.Conn, h http.Header) error {
	return errors.Join(f.note("BuildSession", h.Get("X-Docker-Expose-Session-Uuid")), conn.Close())
}
func (f *fake) BuildControl(_ context.Context, conn net.Conn) error {
	return errors.Join(f.note("BuildControl"), conn.Close())
}

// unix is a time for a call's record, "-" for none.
func unix(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
}

func serverOver(f *fake) *Server {
	return NewServer(Backends{Container: f, Query: f, Stream: f, Archive: f, Image: f, Network: f, Volume: f, Build: f, System: f})
}

// ask sends one request straight to the handler. Headers come as "Key: value"; a body without a type is JSON.
func ask(f *fake, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		key, value, _ := strings.Cut(h, ": ")
		if value == "" {
			r.Header.Del(key)
			continue
		}
		r.Header.Set(key, value)
	}
	w := httptest.NewRecorder()
	serverOver(f).Handler().ServeHTTP(w, r)
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }
	record.Response(&http.Response{StatusCode: w.Code, Request: r, Body: http.NoBody})
	return w
}

// listen serves the fake on a unix socket until the test ends.
func listen(t *testing.T, f *fake) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "api.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serverOver(f).Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v, want nil after its context ended", err)
		}
	})
	return path
}

// dial connects moby's own client to the fake.
func dial(t *testing.T, f *fake, opts ...client.Opt) *client.Client {
	t.Helper()
	cli, err := client.New(append(record.Options(listen(t, f)), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cli.Close(); err != nil {
			t.Error(err)
		}
	})
	return cli
}

// plain is an HTTP client for the socket, for what moby's client does not do.
func plain(path string) *http.Client {
	return &http.Client{Transport: record.Transport{RoundTripper: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) },
	}}}
}
