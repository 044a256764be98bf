//go:build linux

package network

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	apinet "github.com/moby/moby/api/types/network"
)

func TestConfigurationOnlyNetworks(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := context.Background()
	sub := netip.MustParsePrefix("10.66.0.0/24")
	yes := true
	w.create(apinet.CreateRequest{Name: "plan", ConfigOnly: true, Driver: "macvlan", Labels: map[string]string{"tier": "front"},
		Options: map[string]string{optMTU: "1400"}, IPAM: ipamOf(apinet.IPAMConfig{Subnet: sub})})
	plan, err := w.NetworkInspect(ctx, "plan", false)
	if err != nil || !plan.ConfigOnly || plan.Driver != "null" || plan.Scope != "local" || plan.IPAM.Config[0].Subnet != sub {
		t.Fatalf("%+v, %v", plan, err)
	}
	if _, err := w.Attach(ctx, SandboxConfig{ContainerID: "aaaa", Name: "a", Mode: "plan"}); err == nil || !strings.Contains(err.Error(), "configuration-only network") {
		t.Errorf("a container on it: %v", err)
	}

	w.create(apinet.CreateRequest{Name: "front", ConfigFrom: &apinet.ConfigReference{Network: "plan"}})
	front, err := w.NetworkInspect(ctx, "front", false)
	if err != nil || front.ConfigOnly || front.ConfigFrom.Network != "plan" || front.Driver != "bridge" || front.Labels["tier"] != "front" ||
		front.Options[optMTU] != "1400" || front.IPAM.Config[0].Subnet != sub || front.IPAM.Config[0].Gateway != netip.MustParseAddr("10.66.0.1") {
		t.Fatalf("%+v, %v", front, err)
	}
	if sb := w.attach(SandboxConfig{ContainerID: "bbbb", Name: "b", Mode: "front"}); sb.Endpoints["front"].IPAddress != netip.MustParseAddr("10.66.0.2") {
		t.Errorf("address %v", sb.Endpoints["front"].IPAddress)
	}

	for want, req := range map[string]apinet.CreateRequest{
		`configuration network "nowhere" does not exist`:                {ConfigFrom: &apinet.ConfigReference{Network: "nowhere"}},
		`configuration network "front" does not exist`:                  {ConfigFrom: &apinet.ConfigReference{Network: "front"}},
		"cannot depend on another configuration network":                {ConfigOnly: true, ConfigFrom: &apinet.ConfigReference{Network: "plan"}},
		"can only contain network specific fields":                      {ConfigOnly: true, Internal: true},
		"user specified configurations are not supported":               {EnableIPv6: &yes, ConfigFrom: &apinet.ConfigReference{Network: "plan"}},
		"network driver options are not supported":                      {Options: map[string]string{"a": "b"}, ConfigFrom: &apinet.ConfigReference{Network: "plan"}},
		"it should be 10.66.1.0/24":                                     {ConfigOnly: true, IPAM: ipamOf(apinet.IPAMConfig{Subnet: netip.MustParsePrefix("10.66.1.9/24")})},
		"invalid pool request: Pool overlaps with other one on this ad": {ConfigFrom: &apinet.ConfigReference{Network: "plan"}},
	} {
		req.Name = "refused"
		if _, err := w.NetworkCreate(ctx, &req); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}

	if err := w.NetworkRemove(ctx, "plan"); err == nil || !strings.Contains(err.Error(), `configuration network "plan" is in use`) {
		t.Errorf("removing it while it is used: %v", err)
	}
	w.Close()
	w.open() // as an engine that comes back
	if err := w.Detach(ctx, "bbbb"); err != nil {
		t.Fatal(err)
	}
	report, err := w.NetworkPrune(ctx, nil)
	if err != nil || strings.Join(report.NetworksDeleted, " ") != "front" {
		t.Errorf("pruned %v, %v", report.NetworksDeleted, err)
	}
	if err := w.NetworkRemove(ctx, "plan"); err != nil {
		t.Error(err)
	}
}
