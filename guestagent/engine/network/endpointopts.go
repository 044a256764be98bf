//go:build linux

package network

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	apinet "github.com/moby/moby/api/types/network"

	"github.com/berthhq/berth/guestagent/engine/network/netns"
	"github.com/berthhq/berth/internal/errdefs"
)

// Names of options of a container's interface; docker's own.
const (
	optIfname  = "com.docker.network.endpoint.ifname"
	optSysctls = "com.docker.network.endpoint.sysctls" // several are separated by commas
)

// CheckEndpoint refuses options of an interface that would only fail when it is made.
func CheckEndpoint(es *apinet.EndpointSettings) error {
	if name, ok := es.DriverOpts[optIfname]; ok && !validInterface(name) {
		return errdefs.Invalid("invalid endpoint settings:\ninvalid interface name %q", name)
	}
	if _, err := endpointSysctls(es); err != nil {
		return err
	}
	_, err := linkLocals(es)
	return err
}

func validInterface(name string) bool {
	return name != "" && len(name) <= maxInterfaceName && name != "lo" && name != "." && name != ".." && !strings.ContainsAny(name, "/: \t\n\x00")
}

// validSysctl is a setting of one interface: net.ipv4.conf.IFNAME.forwarding=1.
var validSysctl = regexp.MustCompile(`^net\.(ipv4|ipv6|mpls)\.([a-z0-9_-]+)\.(?:IFNAME|ifname)\.([a-zA-Z0-9_-]+)(?:=(.*))?$`)

// endpointSysctls reads the settings of an interface.
func endpointSysctls(es *apinet.EndpointSettings) (out []netns.Sysctl, err error) {
	all, ok := es.DriverOpts[optSysctls]
	if !ok {
		return nil, nil
	}
	for text := range strings.SplitSeq(all, ",") {
		m := validSysctl.FindStringSubmatch(text)
		if m == nil {
			return nil, errdefs.Invalid("invalid endpoint settings:\nunrecognised network interface sysctl '%s'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'", text)
		}
		if !strings.Contains(text, "=") {
			return nil, errdefs.Invalid("expected sysctl '%s' to have format name=value", text)
		}
		out = append(out, netns.Sysctl{Group: m[1] + "/" + m[2], Key: m[3], Value: m[4]})
	}
	return out, nil
}

// linkLocals are the link-local addresses that an interface has beside its own.
func linkLocals(es *apinet.EndpointSettings) (out []netip.Prefix, err error) {
	if es.IPAMConfig == nil {
		return nil, nil
	}
	for _, a := range es.IPAMConfig.LinkLocalIPs {
		if !a.IsLinkLocalUnicast() {
			return nil, errdefs.Invalid("invalid link local IP address: %s", a)
		}
		bits := 16
		if a.Is6() {
			bits = 64
		}
		out = append(out, netip.PrefixFrom(a, bits))
	}
	return out, nil
}

// interfaceNames gives the interface on each network a name, first to those whose name is asked for.
func interfaceNames(nets []*network, wants map[string]*apinet.EndpointSettings) (map[string]string, error) {
	names, taken := map[string]string{}, map[string]bool{}
	for _, named := range []bool{true, false} {
		for _, n := range nets {
			want := wants[n.rec.ID]
			if (want.DriverOpts[optIfname] != "") != named {
				continue
			}
			name, err := interfaceName(n, want, taken)
			if err != nil {
				return nil, err
			}
			names[n.rec.ID], taken[name] = name, true
		}
	}
	return names, nil
}

// interfaceName is the name that is asked for, or the first of the network's names (eth0) that is not taken.
func interfaceName(n *network, want *apinet.EndpointSettings, taken map[string]bool) (string, error) {
	name := want.DriverOpts[optIfname]
	if name != "" && taken[name] {
		return "", errdefs.System("error renaming interface to %q: file exists", name)
	}
	for i := 0; name == "" || taken[name]; i++ {
		name = fmt.Sprintf("%s%d", n.interfacePrefix(), i)
	}
	return name, nil
}
