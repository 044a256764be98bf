//go:build linux

package engine

import (
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"

	"github.com/berthhq/berth/guestagent/engine/config"
	"github.com/berthhq/berth/guestagent/engine/container"
	"github.com/berthhq/berth/guestagent/engine/image"
	"github.com/berthhq/berth/guestagent/engine/network"
	"github.com/berthhq/berth/guestagent/engine/network/ipam"
	"github.com/berthhq/berth/internal/buildinfo"
	"github.com/berthhq/berth/internal/errdefs"
	apicontainer "github.com/moby/moby/api/types/container"
	"golang.org/x/net/http/httpproxy"
)

func (e *Engine) imageConfig() image.Config {
	c := e.opts.Config
	out := image.Config{
		Mirrors: c.Mirrors, Insecure: c.Insecure, CertsDirs: []string{"/etc/berth/certs.d", "/etc/docker/certs.d"},
		UserAgent:              "berth/" + buildinfo.Version(),
		MaxConcurrentDownloads: c.MaxConcurrentDownloads, MaxConcurrentUploads: c.MaxConcurrentUploads,
		Driver: c.Driver(),
	}
	out.Running = func(id string) bool { return e.containers != nil && e.containers.Running(id) }
	if p := c.Proxies; p != (config.Proxies{}) {
		proxy := (&httpproxy.Config{HTTPProxy: p.HTTP, HTTPSProxy: p.HTTPS, NoProxy: p.No}).ProxyFunc()
		out.Proxy = func(r *http.Request) (*url.URL, error) { return proxy(r.URL) }
	}
	return out
}

func networkConfig(c *config.Config) (network.Config, error) {
	off := func(b *bool) bool { return b != nil && !*b }
	out := network.Config{
		Bridge: c.Bridge, MTU: c.MTU, DNSSearch: c.DNSSearch, DNSOptions: c.DNSOpts, IPv6: c.IPv6,
		NoICC: off(c.ICC), NoMasquerade: off(c.IPMasq), NoRules: off(c.IPTables), NoForwarding: off(c.IPForward),
		NoPortProxy: off(c.UserlandProxy),
	}
	for _, p := range []struct {
		text string
		to   *netip.Prefix
	}{{c.BIP, &out.BIP}, {c.FixedCIDR, &out.FixedCIDR}, {c.FixedCIDRv6, &out.FixedCIDRv6}} {
		if p.text == "" {
			continue
		}
		var err error
		if *p.to, err = netip.ParsePrefix(p.text); err != nil {
			return out, errdefs.Invalid("%q is not an address with a prefix length", p.text)
		}
	}
	for _, p := range c.DefaultAddrPools {
		base, err := netip.ParsePrefix(p.Base)
		if err != nil {
			return out, errdefs.Invalid("default-address-pools: %q", p.Base)
		}
		out.Pools = append(out.Pools, ipam.Pool{Base: base, Size: p.Size})
	}
	gateways := c.HostGatewayIPs
	if c.HostGatewayIP != "" {
		gateways = append(gateways, c.HostGatewayIP)
	}
	for _, a := range []struct {
		list []string
		to   *[]netip.Addr
	}{{c.DNS, &out.DNS}, {gateways, &out.HostGateways}} {
		for _, text := range a.list {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return out, errdefs.Invalid("%q is not an IP address", text)
			}
			*a.to = append(*a.to, addr)
		}
	}
	if c.IP != "" {
		addr, err := netip.ParseAddr(c.IP)
		if err != nil {
			return out, errdefs.Invalid("ip: %q is not an IP address", c.IP)
		}
		out.HostBinding = addr
	}
	return out, nil
}

// defaults are what containers get that ask for nothing else.
func (e *Engine) defaults() container.Defaults {
	c := e.opts.Config
	d := container.Defaults{
		LogConfig: apicontainer.LogConfig{Type: c.LogDriver, Config: c.LogOpts},
		Ulimits:   map[string]*apicontainer.Ulimit{}, ShmSize: int64(c.ShmSize), Init: c.Init,
		InitPath: filepath.Join(e.opts.BinDir, "berth-init"), Cgroups: e.cgroups,
		CgroupNS: apicontainer.CgroupnsMode(c.CgroupNS), DockerSocket: e.opts.Layout.Socket(), IDs: e.ids, StorageDriver: e.images.Driver(),
	}
	if e.host != nil {
		d.HostPath = e.host.Path
	}
	if d.LogConfig.Type == "" {
		d.LogConfig.Type = "json-file"
	}
	for name, u := range c.Ulimits {
		d.Ulimits[name] = &apicontainer.Ulimit{Name: name, Hard: u.Hard, Soft: u.Soft}
	}
	if d.CgroupNS == "" {
		d.CgroupNS = apicontainer.CgroupnsModeHost
		if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
			d.CgroupNS = apicontainer.CgroupnsModePrivate // as docker: private with cgroup v2 alone
		}
	}
	return d
}
