//go:build linux

package sandbox

import (
	"context"
	"errors"
	"os"

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

// attached is a command's network: its namespace, empty for the machine's own, and the files that go with it.
type attached struct {
	namespace string
	files     []runtime.Mount
}

func (x *Executor) attach(ctx context.Context, id string, m executor.Meta) (attached, error) {
	cfg := network.SandboxConfig{ContainerID: id, Name: id, Hostname: hostname(m), Quiet: true}
	switch m.NetMode {
	case pb.NetMode_UNSET:
		cfg.Mode = apinet.NetworkBridge
	case pb.NetMode_HOST:
		cfg.Mode = apinet.NetworkHost
	case pb.NetMode_NONE:
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
