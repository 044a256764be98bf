//go:build linux

package sandbox

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/network"
	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/buildkit/executor"
	"github.com/moby/buildkit/solver/pb"
	apinet "github.com/moby/moby/api/types/network"
)

// defaultHostname is BuildKit's for a command that names none.
const defaultHostname = "buildkitsandbox"

func hostname(m executor.Meta) string {
	if m.Hostname != "" {
		return m.Hostname
	}
	return defaultHostname
}

// networkMark separates, in the cgroup parent of a command, a network's name from the parent itself.
const networkMark = "\x00"

// OnNetwork is the cgroup parent of commands that run on a network that somebody made: BuildKit has no place for its
// name, and a cgroup parent it passes on as it is.
func OnNetwork(parent, network string) string { return network + networkMark + parent }

// onNetwork takes apart what OnNetwork put together; the network is empty where there is none.
func onNetwork(s string) (parent, network string) {
	if network, parent, ok := strings.Cut(s, networkMark); ok {
		return parent, network
	}
	return s, ""
}

// attached is a command's network: its namespace, empty for the machine's own, and the files that go with it.
type attached struct {
	namespace string
	files     []runtime.Mount
}

func (x *Executor) attach(ctx context.Context, id string, m executor.Meta) (attached, error) {
	cfg := network.SandboxConfig{ContainerID: id, Name: id, Hostname: hostname(m), Quiet: true}
	_, user := onNetwork(m.CgroupParent)
	switch {
	case user != "":
		cfg.Mode = user
	case m.NetMode == pb.NetMode_UNSET:
		cfg.Mode = apinet.NetworkBridge
	case m.NetMode == pb.NetMode_HOST:
		cfg.Mode = apinet.NetworkHost
	case m.NetMode == pb.NetMode_NONE:
		cfg.Mode = apinet.NetworkNone
	default:
		return attached{}, errdefs.Invalid("unknown network mode %s", m.NetMode)
	}
	for _, h := range m.ExtraHosts {
		cfg.ExtraHosts = append(cfg.ExtraHosts, h.Host+":"+h.IP.String())
	}
	sb, err := x.Networks.Attach(ctx, cfg)
	if err != nil {
		return attached{}, errors.Join(err, os.RemoveAll(x.Layout.Container(id)))
	}
	return attached{namespace: sb.Key, files: []runtime.Mount{
		{Type: "bind", Source: x.Layout.ResolvConf(id), Destination: "/etc/resolv.conf", ReadOnly: true},
		{Type: "bind", Source: x.Layout.Hosts(id), Destination: "/etc/hosts", ReadOnly: true},
	}}, nil
}

func (x *Executor) detach(ctx context.Context, id string) error {
	return errors.Join(x.Networks.Detach(ctx, id), os.RemoveAll(x.Layout.Container(id)))
}
