package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/docker/go-units"
)

// Size is bytes, in the file a number or docker's form ("64m").
type Size int64

// UnmarshalJSON reads both forms.
func (s *Size) UnmarshalJSON(b []byte) error {
	var n int64
	if json.Unmarshal(b, &n) == nil {
		*s = Size(n)
		return nil
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	n, err := units.RAMInBytes(text)
	*s = Size(n)
	return err
}

func (c *Config) check() error {
	for key, v := range map[string]string{"bip": c.BIP, "fixed-cidr": c.FixedCIDR, "fixed-cidr-v6": c.FixedCIDRv6} {
		if v == "" {
			continue
		}
		if _, err := netip.ParsePrefix(v); err != nil {
			return fmt.Errorf("%s: %q is not an address with a prefix length", key, v)
		}
	}
	for _, p := range c.DefaultAddrPools {
		base, err := netip.ParsePrefix(p.Base)
		if err != nil || p.Size < base.Bits() || p.Size > base.Addr().BitLen() {
			return fmt.Errorf("default-address-pools: base %q with size %d", p.Base, p.Size)
		}
	}
	addrs := append([]string{c.IP, c.HostGatewayIP}, c.DNS...)
	for _, a := range append(addrs, c.HostGatewayIPs...) {
		if a == "" {
			continue
		}
		if _, err := netip.ParseAddr(a); err != nil {
			return fmt.Errorf("%q is not an IP address", a)
		}
	}
	return c.checkRest()
}

func (c *Config) checkRest() error {
	switch {
	case c.MTU < 0 || c.MTU > 65535:
		return fmt.Errorf("mtu: %d is not between 0 and 65535", c.MTU)
	case c.MaxConcurrentDownloads < 0:
		return fmt.Errorf("invalid max concurrent downloads: %d", c.MaxConcurrentDownloads)
	case c.MaxConcurrentUploads < 0:
		return fmt.Errorf("invalid max concurrent uploads: %d", c.MaxConcurrentUploads)
	case c.ShmSize < 0:
		return fmt.Errorf("default-shm-size: %d is negative", c.ShmSize)
	}
	switch c.CgroupNS {
	case "", "private", "host":
	default:
		return fmt.Errorf("default cgroup namespace mode (%s) is invalid; use \"host\" or \"private\"", c.CgroupNS)
	}
	switch c.LogDriver {
	case "", "json-file", "local", "none":
	default:
		return fmt.Errorf("log-driver: %q is not one of json-file, local, none", c.LogDriver)
	}
	for _, h := range c.Hosts {
		if !strings.HasPrefix(h, "unix://") && !strings.HasPrefix(h, "tcp://") {
			return fmt.Errorf("hosts: %q: not unix:///path or tcp://address:port", h)
		}
	}
	if err := c.checkExecOpts(); err != nil {
		return err
	}
	if err := c.CheckDriver(); err != nil {
		return err
	}
	for _, l := range c.Labels {
		if k, _, ok := strings.Cut(l, "="); !ok || k == "" {
			return fmt.Errorf("bad attribute format: %s", l)
		}
	}
	return nil
}
