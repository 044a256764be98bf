//go:build linux

package build

import (
	"net/netip"
	"path"
	"strconv"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/containerd/platforms"
	apinet "github.com/moby/moby/api/types/network"
)

// hostGateway is the name of the machine's own address in extra hosts.
const hostGateway = "host-gateway"

// frontendAttrs says what is asked for in the words of BuildKit's Dockerfile frontend. Errors: Invalid.
func (r *Request) frontendAttrs(gateways []netip.Addr) (map[string]string, error) {
	a := map[string]string{"image-resolve-mode": "default"}
	set := func(key, value string) {
		if value != "" {
			a[key] = value
		}
	}
	if r.Pull {
		a["image-resolve-mode"] = "pull"
	}
	if r.NoCache {
		a["no-cache"] = ""
	}
	if name := path.Clean(r.Dockerfile); r.Dockerfile != "" && name != "." {
		a["filename"] = name
	}
	if r.Platform != "" {
		if _, err := platforms.Parse(r.Platform); err != nil {
			return nil, errdefs.Invalid("%w", err)
		}
		a["platform"] = r.Platform
	}
	set("target", r.Target)
	set("cache-from", strings.Join(r.CacheFrom, ","))
	set("cgroup-parent", r.CgroupParent)
	for k, v := range r.Args {
		if v != nil {
			a["build-arg:"+k] = *v
		}
	}
	for k, v := range r.Labels {
		a["label:"+k] = v
	}
	switch r.NetworkMode {
	case apinet.NetworkHost, apinet.NetworkNone:
		a["force-network-mode"] = r.NetworkMode
	case "", apinet.NetworkDefault, apinet.NetworkBridge:
	default:
		return nil, errdefs.Invalid("network mode %q not supported by buildkit", r.NetworkMode)
	}
	hosts, err := extraHosts(r.ExtraHosts, gateways)
	if err != nil {
		return nil, err
	}
	set("add-hosts", hosts)
	r.Limits.put(set)
	return a, nil
}

func (l *Limits) put(set func(key, value string)) {
	for key, n := range map[string]int64{
		"shm-size": l.ShmSize, "memory": l.Memory, "memswap": l.MemorySwap,
		"cpushares": l.CPUShares, "cpuperiod": l.CPUPeriod, "cpuquota": l.CPUQuota,
	} {
		if n > 0 || key == "memswap" && n < 0 {
			set(key, strconv.FormatInt(n, 10))
		}
	}
	set("cpusetcpus", l.CpusetCpus)
	set("cpusetmems", l.CpusetMems)
	var ulimits []string
	for _, u := range l.Ulimits {
		if u != nil {
			ulimits = append(ulimits, u.String())
		}
	}
	set("ulimit", strings.Join(ulimits, ","))
}

// extraHosts turns name:address into BuildKit's form, with the machine's addresses for host-gateway.
func extraHosts(list []string, gateways []netip.Addr) (string, error) {
	out := make([]string, 0, len(list))
	for _, h := range list {
		name, addr, ok := strings.Cut(h, ":")
		if !ok || name == "" || addr == "" {
			return "", errdefs.Invalid("invalid host %s", h)
		}
		if addr != hostGateway {
			out = append(out, name+"="+addr)
			continue
		}
		if len(gateways) == 0 {
			return "", errdefs.Invalid("unable to derive the IP value for host-gateway")
		}
		for _, g := range gateways {
			out = append(out, name+"="+g.String())
		}
	}
	return strings.Join(out, ","), nil
}
