//go:build linux

package engine

import (
	"net/netip"
	"strings"

	"github.com/moby/moby/api/types/registry"
)

// registryConfig tells of registries as dockerd's info does: mirrors with a slash at their end; loopback, and what else
// the settings name, without TLS.
func registryConfig(mirrors, insecure []string) *registry.ServiceConfig {
	shown := []string{}
	for _, m := range mirrors {
		shown = append(shown, strings.TrimSuffix(m, "/")+"/")
	}
	out := &registry.ServiceConfig{
		Mirrors:               shown,
		InsecureRegistryCIDRs: []netip.Prefix{netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("127.0.0.0/8")},
		IndexConfigs: map[string]*registry.IndexInfo{
			"docker.io": {Name: "docker.io", Mirrors: shown, Secure: true, Official: true},
		},
	}
	for _, r := range insecure {
		if p, err := netip.ParsePrefix(r); err == nil {
			out.InsecureRegistryCIDRs = append(out.InsecureRegistryCIDRs, p)
			continue
		}
		out.IndexConfigs[r] = &registry.IndexInfo{Name: r, Mirrors: []string{}}
	}
	return out
}
