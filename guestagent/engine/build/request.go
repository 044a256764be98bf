//go:build linux

package build

import (
	"io"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/registry"
)

// Request is what is to be built.
type Request struct {
	Classic      bool // progress as of the classic builder; else BuildKit's own
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
	Limits       Limits
	Outputs      []Output
	Remote       string
	SessionID    string
	BuildID      string
	Auth         map[string]registry.AuthConfig
	Body         io.Reader // the context, a tar that may be compressed
	// KeepContainers is what rm=0 asks for; there is nothing to keep, but the client is not told of removals.
	KeepContainers bool
}

// Limits bound the commands of a build; zero values are no bounds.
type Limits struct {
	ShmSize, Memory, MemorySwap    int64 // bytes
	CPUShares, CPUPeriod, CPUQuota int64
	CpusetCpus, CpusetMems         string
	Ulimits                        []*container.Ulimit
}

// Output says where a result goes.
type Output struct {
	Type  string
	Attrs map[string]string
}
