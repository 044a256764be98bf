package api

import (
	"context"
	"io"
	"net"
	"net/http"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/registry"
)

// BuildBackend builds images.
type BuildBackend interface {
	// Build makes an image of the context in body, or of the one that the options name, and gives its ID, which is empty
	// where the result went elsewhere. Progress goes to w as newline-separated jsonstream messages.
	Build(ctx context.Context, o BuildOptions, body io.Reader, w io.Writer) (id string, err error)
	// BuildCancel ends a build by the ID that its client gave it; one that is not there is no error.
	BuildCancel(ctx context.Context, id string) error
	BuildPrune(ctx context.Context, o BuildPruneOptions) (build.CachePruneReport, error)
	// BuildSession serves a client's session, whose headers describe it, until it ends. It owns conn.
	BuildSession(ctx context.Context, conn net.Conn, headers http.Header) error
	// BuildControl serves BuildKit's own protocol on conn, which it owns; it may return before it is done with it.
	BuildControl(ctx context.Context, conn net.Conn) error
}

// BuildOptions are the parameters of POST /build.
type BuildOptions struct {
	BuildKit     bool // version=2: progress in BuildKit's form; else that of the classic builder
	Dockerfile   string
	Target       string
	Tags         []string // as typed
	Args         map[string]*string
	Labels       map[string]string
	CacheFrom    []string
	NoCache      bool
	Pull         bool
	Platform     string
	NetworkMode  string
	ExtraHosts   []string
	CgroupParent string
	Limits       BuildLimits
	Outputs      []BuildOutput
	Remote       string // a URL, "client-session" or "upload-request"; empty: the context is the body
	SessionID    string
	BuildID      string
	Auth         map[string]registry.AuthConfig // by registry
	// KeepContainers is rm=0: the client does not want to read of intermediate containers that are removed.
	KeepContainers bool
}

// BuildLimits bound the commands of a build; zero values are no bounds.
type BuildLimits struct {
	ShmSize, Memory, MemorySwap    int64 // bytes
	CPUShares, CPUPeriod, CPUQuota int64
	CpusetCpus, CpusetMems         string
	Ulimits                        []*container.Ulimit
}

// BuildOutput says where a result goes.
type BuildOutput struct {
	Type  string
	Attrs map[string]string
}

// BuildPruneOptions are the parameters of POST /build/prune; sizes in bytes, 0 is no bound.
type BuildPruneOptions struct {
	All                                       bool
	Filters                                   Filters
	ReservedSpace, MaxUsedSpace, MinFreeSpace int64
}
