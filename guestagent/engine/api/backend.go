package api

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/berthhq/berth/internal/editapi"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// The engine as the API sees it: one small interface a group of verbs, in moby's wire types. Names are what the client
// sent: a name, a full ID or an unambiguous prefix. Errors are of internal/errdefs' kinds.

// Filters are the API's filters, decoded: key -> values, each true unless the client excluded it.
type Filters map[string]map[string]bool

// Hijack takes the client's connection over: the response head has been written, and preface holds what the client
// had already sent. The receiver of conn closes it. The context of such a call does not end when the client leaves,
// only when the backend's method returns or the server stops; an error returned after hijacking is only logged.
type Hijack func() (conn net.Conn, preface []byte, err error)

// ContainerBackend is the life of containers.
type ContainerBackend interface {
	ContainerCreate(ctx context.Context, name string, platform *ocispec.Platform, req *container.CreateRequest) (container.CreateResponse, error)
	ContainerStart(ctx context.Context, name string) error
	// ContainerStop: nil timeout is the container's own (or 10 s), negative waits for ever. signal "" is the container's own.
	ContainerStop(ctx context.Context, name, signal string, timeout *int) error
	ContainerRestart(ctx context.Context, name, signal string, timeout *int) error
	ContainerKill(ctx context.Context, name, signal string) error
	ContainerPause(ctx context.Context, name string) error
	ContainerUnpause(ctx context.Context, name string) error
	ContainerRename(ctx context.Context, name, newName string) error
	ContainerUpdate(ctx context.Context, name string, cfg *container.UpdateConfig) (container.UpdateResponse, error)
	ContainerRemove(ctx context.Context, name string, force, volumes, link bool) error
	ContainerPrune(ctx context.Context, f Filters) (container.PruneReport, error)
	ContainerEditPlan(ctx context.Context, name string, c *editapi.Change) (*editapi.Plan, error)
	ContainerEdit(ctx context.Context, name string, c *editapi.Change) (*editapi.Plan, error)
	// ContainerWait returns at once with a function that blocks, so that the handler can send its head first.
	ContainerWait(ctx context.Context, name string, cond container.WaitCondition) (wait func(context.Context) (container.WaitResponse, error), err error)
}

// ContainerQuery is what can be asked of containers.
type ContainerQuery interface {
	ContainerList(ctx context.Context, o ContainerListOptions) ([]container.Summary, error)
	ContainerInspect(ctx context.Context, name string, size bool) (*container.InspectResponse, error)
	ContainerTop(ctx context.Context, name, psArgs string) (container.TopResponse, error)
	// ContainerLogs gives a function that writes entries as they are read; tty says which framing applies.
	ContainerLogs(ctx context.Context, name string, o LogOptions) (tty bool, stream LogStream, err error)
	// ContainerStats takes one sample at once; the handler asks again a second later and pairs them (PreRead, PreCPUStats).
	// A container that does not run gives its ID and name only. oneShot is always true.
	ContainerStats(ctx context.Context, name string, oneShot bool) (container.StatsResponse, error)
	ContainerChanges(ctx context.Context, name string) ([]container.FilesystemChange, error)
}

// ContainerListOptions are the parameters of GET /containers/json.
type ContainerListOptions struct {
	All     bool
	Size    bool
	Limit   int
	Filters Filters
}

// LogOptions are the parameters of GET /containers/{id}/logs. Zero times mean no limit; Tail < 0 is everything.
type LogOptions struct {
	Stdout, Stderr, Follow, Timestamps, Details bool
	Since, Until                                time.Time
	Tail                                        int
}

// LogStream writes entries to the writer of their stream. It calls settled when all that is there is written and it is
// about to wait for more.
type LogStream func(ctx context.Context, stdout, stderr io.Writer, settled func()) error

// StreamBackend is attaching, and processes exec'd in containers.
type StreamBackend interface {
	// ContainerAttach validates, then calls hijack and hands the connection on. It returns when the client has left
	// or been handed to the supervisor; the connection may then still be in use.
	ContainerAttach(ctx context.Context, name string, o AttachOptions, hijack func(mux bool) Hijack) error
	// ContainerResize takes characters, as ExecResize does.
	ContainerResize(ctx context.Context, name string, height, width uint16) error
	ExecCreate(ctx context.Context, name string, req *container.ExecCreateRequest) (string, error)
	ExecStart(ctx context.Context, id string, req *container.ExecStartRequest, hijack func(mux bool) Hijack) error
	ExecInspect(ctx context.Context, id string) (*container.ExecInspectResponse, error)
	ExecResize(ctx context.Context, id string, height, width uint16) error
}

// AttachOptions are the parameters of POST /containers/{id}/attach.
type AttachOptions struct {
	Stdin, Stdout, Stderr, Stream, Logs bool
	DetachKeys                          string
}

// ArchiveBackend is copying in and out of containers.
type ArchiveBackend interface {
	ContainerStatPath(ctx context.Context, name, path string) (container.PathStat, error)
	ContainerGetArchive(ctx context.Context, name, path string) (io.ReadCloser, container.PathStat, error)
	ContainerPutArchive(ctx context.Context, name, path string, noOverwriteDirNonDir, copyUIDGID bool, tar io.Reader) error
	ContainerExport(ctx context.Context, name string, w io.Writer) error
}

// ImageBackend is images. References of pull, push and tag are normalised (docker.io/library/ubuntu:24.04); one without
// a tag means every tag. Others are as the client wrote them.
// Progress goes to w as newline-separated jsonstream messages; an error after the first byte
// is written there by the handler.
type ImageBackend interface {
	ImagePull(ctx context.Context, ref string, platform *ocispec.Platform, auth *registry.AuthConfig, w io.Writer) error
	ImagePush(ctx context.Context, ref string, platform *ocispec.Platform, auth *registry.AuthConfig, w io.Writer) error
	ImageList(ctx context.Context, o ImageListOptions) ([]image.Summary, error)
	ImageInspect(ctx context.Context, ref string, platform *ocispec.Platform, manifests bool) (*image.InspectResponse, error)
	ImageHistory(ctx context.Context, ref string, platform *ocispec.Platform) ([]image.HistoryResponseItem, error)
	ImageTag(ctx context.Context, ref, target string) error
	// ImageRemove removes an image or a name of it; with platforms only what it has for those.
	ImageRemove(ctx context.Context, ref string, force, noPrune bool, platforms []ocispec.Platform) ([]image.DeleteResponse, error)
	ImagePrune(ctx context.Context, f Filters) (image.PruneReport, error)
	// ImageImport makes an image of a tar of files.
	ImageImport(ctx context.Context, tar io.Reader, o ImportOptions, w io.Writer) error
	// ImageCommit makes an image of a container and gives its ID.
	ImageCommit(ctx context.Context, name string, o CommitOptions) (id string, err error)
	// ImageLoad reads an OCI layout or docker archive; ImageSave writes one that is both.
	ImageLoad(ctx context.Context, tar io.Reader, platform *ocispec.Platform, quiet bool, w io.Writer) error
	ImageSave(ctx context.Context, refs []string, platform *ocispec.Platform, w io.Writer) error
	RegistryLogin(ctx context.Context, auth *registry.AuthConfig) (registry.AuthResponse, error)
	DistributionInspect(ctx context.Context, ref string, auth *registry.AuthConfig) (registry.DistributionInspect, error)
}

// CommitOptions are the parameters of POST /commit.
type CommitOptions struct {
	Reference       string // with a tag; "" for an image without a name
	Author, Comment string
	Changes         []string          // instructions of a Dockerfile
	Config          *container.Config // nil: the container's
}

// ImportOptions are the parameters of POST /images/create with fromSrc.
type ImportOptions struct {
	Source        string // "-" for the request's body, else where the engine fetches it from
	Name, Message string // Name is a reference with a tag, or empty
	Platform      *ocispec.Platform
	Changes       []string // instructions of a Dockerfile
}

// ImageListOptions are the parameters of GET /images/json.
type ImageListOptions struct {
	All, SharedSize, Manifests bool
	Filters                    Filters
}

// NetworkBackend is networks.
type NetworkBackend interface {
	NetworkCreate(ctx context.Context, req *network.CreateRequest) (network.CreateResponse, error)
	NetworkList(ctx context.Context, f Filters) ([]network.Summary, error)
	NetworkInspect(ctx context.Context, name string, verbose bool) (*network.Inspect, error)
	NetworkRemove(ctx context.Context, name string) error
	NetworkConnect(ctx context.Context, name string, req *network.ConnectRequest) error
	NetworkDisconnect(ctx context.Context, name string, req *network.DisconnectRequest) error
	NetworkPrune(ctx context.Context, f Filters) (network.PruneReport, error)
}

// VolumeBackend is named volumes.
type VolumeBackend interface {
	VolumeCreate(ctx context.Context, req *volume.CreateRequest) (*volume.Volume, error)
	VolumeList(ctx context.Context, f Filters) (volume.ListResponse, error)
	VolumeInspect(ctx context.Context, name string) (*volume.Volume, error)
	VolumeRemove(ctx context.Context, name string, force bool) error
	VolumePrune(ctx context.Context, f Filters) (volume.PruneReport, error)
}

// SystemBackend is the engine itself.
type SystemBackend interface {
	Info(ctx context.Context) (*system.Info, error)
	Version(ctx context.Context) (system.VersionResponse, error)
	DiskUsage(ctx context.Context, o DiskUsageOptions) (*system.DiskUsage, error)
	// Events replays what lies between since and now, then follows until ctx or until ends. It calls ready once the
	// subscription stands, so that the handler sends its head.
	Events(ctx context.Context, since, until time.Time, f Filters, ready func(), each func(events.Message) error) error
}

// DiskUsageOptions selects what GET /system/df measures; none selected is all.
type DiskUsageOptions struct {
	Containers, Images, Volumes, BuildCache, Verbose bool
}
