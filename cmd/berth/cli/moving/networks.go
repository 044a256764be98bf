package moving

import (
	"context"

	"github.com/berthhq/berth/internal/errdefs"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// networks makes the networks anew that people have made. On the same machine the old engine holds their subnets still:
// then they get others.
func (m *move) networks(ctx context.Context) error {
	list, err := m.old.NetworkList(ctx, client.NetworkListOptions{})
	if err != nil {
		return err
	}
	for _, n := range list.Items {
		if n.Name == network.NetworkBridge || n.Name == network.NetworkHost || n.Name == network.NetworkNone {
			continue
		}
		_, err := m.mine.NetworkInspect(ctx, n.Name, client.NetworkInspectOptions{})
		switch {
		case err == nil:
			m.report.had("network", n.Name, "a network of this name is here already, which stays")
		case !cerrdefs.IsNotFound(err):
			m.report.lost("network", n.Name, err)
		case n.Scope != "local":
			m.report.lost("network", n.Name, errdefs.NotImplemented("it belongs to a swarm"))
		case m.dryRun:
			m.report.took("network", n.Name, "")
		default:
			m.network(ctx, n.Network)
		}
	}
	return nil
}

func (m *move) network(ctx context.Context, n network.Network) {
	o := client.NetworkCreateOptions{
		Driver: n.Driver, EnableIPv4: &n.EnableIPv4, EnableIPv6: &n.EnableIPv6, Internal: n.Internal, Attachable: n.Attachable,
		Options: n.Options, Labels: n.Labels, IPAM: &network.IPAM{Driver: n.IPAM.Driver, Options: n.IPAM.Options, Config: n.IPAM.Config},
	}
	_, err := m.mine.NetworkCreate(ctx, n.Name, o)
	if err == nil {
		m.report.took("network", n.Name, "")
		return
	}
	o.IPAM = nil
	if _, again := m.mine.NetworkCreate(ctx, n.Name, o); again != nil {
		m.report.lost("network", n.Name, err)
		return
	}
	m.report.took("network", n.Name, "with another subnet: "+err.Error())
}
