package fields

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/network"
)

// full is everything that a network of this machine can be given.
func full() object {
	return object{
		"Name": "full", "Driver": "bridge", "Scope": "local", "Internal": false, "Attachable": true, "Ingress": false, "ConfigOnly": false,
		"EnableIPv4": true, "EnableIPv6": true, "Labels": object{"k": "v"},
		"Options": object{"com.docker.network.bridge.name": "br-full", "com.docker.network.driver.mtu": "1400"},
		"IPAM": object{"Driver": "default", "Options": object{"o": "1"}, "Config": []object{
			{"Subnet": "10.88.0.0/24", "IPRange": "10.88.0.128/25", "Gateway": "10.88.0.1", "AuxiliaryAddresses": object{"router": "10.88.0.129"}},
			{"Subnet": "fd88::/64", "Gateway": "fd88::1"},
		}},
	}
}

// A network is what was asked for, in lists, inspections and the kernel.
func TestNetworkFields(t *testing.T) {
	w := harness.New(t)
	begun := time.Now()
	ask(w, http.StatusCreated, http.MethodPost, "/networks/create", full())
	in := read[object](w, "/networks/full?verbose=0&scope=local")
	holds(w, "inspect", in, full())
	holds(w, "ConfigFrom", in["ConfigFrom"], object{"Network": ""})
	created, err := time.Parse(time.RFC3339Nano, in["Created"].(string))
	if err != nil || created.Before(begun) || created.After(time.Now()) {
		t.Errorf("created %v, %v", in["Created"], err)
	}
	listed := read[[]object](w, "/networks?"+filters("name", "full"))
	if len(listed) != 1 || len(listed[0]["Id"].(string)) != 64 {
		t.Fatalf("list: %v", listed)
	}
	for k, v := range listed[0] {
		want(w, "the list's "+k, v, in[k])
	}
	bridge, err := net.InterfaceByName("br-full")
	w.Must(err)
	want(w, "the bridge's MTU", bridge.MTU, 1400)
	var have []string
	addrs, err := bridge.Addrs()
	w.Must(err)
	for _, a := range addrs {
		have = append(have, a.String())
	}
	for _, a := range []string{"10.88.0.1/24", "fd88::1/64"} {
		if !slices.Contains(have, a) {
			t.Errorf("the bridge has no address %s: %v", a, have)
		}
	}
	addresses(w, "of an empty network", 4, 126, 2, 1<<64-2)
	w.Part("endpoints", endpoints)
	w.Part("filters and prune", networkFilters)
}

// addresses checks how many are in use and free.
func addresses(w *harness.World, what string, used, free, used6, free6 uint64) {
	w.Helper()
	in := read[network.Inspect](w, "/networks/full")
	if in.Status == nil {
		w.Fatalf("%s: no status", what)
	}
	for p, is := range map[string]network.SubnetStatus{
		"10.88.0.0/24": {IPsInUse: used, DynamicIPsAvailable: free}, "fd88::/64": {IPsInUse: used6, DynamicIPsAvailable: free6},
	} {
		for prefix, got := range in.Status.IPAM.Subnets {
			if prefix.String() == p {
				want(w, what+": "+p, got, is)
			}
		}
	}
	want(w, what+": subnets", len(in.Status.IPAM.Subnets), 2)
}

func endpoints(w *harness.World) {
	w.Run(harness.Spec{Name: "peer", Cmd: []string{"sleep", "1000"}})
	settings := object{
		"IPAMConfig": object{"IPv4Address": "10.88.0.200", "IPv6Address": "fd88::99", "LinkLocalIPs": []string{"169.254.34.68"}}, "Aliases": []string{"backend"}, "MacAddress": "02:42:0a:58:00:c8",
		"DriverOpts": object{"com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1"}, "GwPriority": 5, "Links": []string{"peer:friend"},
	}
	sent := with(settings, "DNSNames", []string{"ignored"})
	body := object{"Image": "bb", "Cmd": []string{"sleep", "1000"}, "Hostname": "inner", "NetworkingConfig": object{"EndpointsConfig": object{"full": sent}}}
	id, _ := create(w, "on-full", body, object{"NetworkMode": "full"})
	w.Begin(id)
	ep := read[object](w, "/containers/on-full/json")["NetworkSettings"].(object)["Networks"].(object)["full"].(object)
	holds(w, "endpoint", ep, settings)
	in := read[object](w, "/networks/full")
	holds(w, "endpoint", ep, object{"NetworkID": in["Id"], "IPAddress": "10.88.0.200", "IPPrefixLen": 24, "Gateway": "10.88.0.1",
		"GlobalIPv6Address": "fd88::99", "GlobalIPv6PrefixLen": 64, "IPv6Gateway": "fd88::1", "DNSNames": []string{"on-full", "backend", id[:12], "inner"}})
	holds(w, "Containers", in["Containers"], object{id: object{"Name": "on-full", "EndpointID": ep["EndpointID"], "MacAddress": "02:42:0a:58:00:c8",
		"IPv4Address": "10.88.0.200/24", "IPv6Address": "fd88::99/64"}})
	listed := read[[]object](w, "/containers/json?"+filters("id", id))[0]["NetworkSettings"].(object)["Networks"].(object)["full"].(object)
	holds(w, "the list's IPAMConfig", listed["IPAMConfig"], object{"IPv4Address": "10.88.0.200", "IPv6Address": "fd88::99"})
	addresses(w, "with a container", 5, 125, 3, 1<<64-3)
	text, _ := w.Exec(id, "sh", "-c", "ip -o addr; ip -o link; ip route; cat /proc/sys/net/ipv4/conf/eth0/log_martians")
	for _, part := range []string{"inet 10.88.0.200/24", "inet6 fd88::99/64", "169.254.34.68", "02:42:0a:58:00:c8", "default via 10.88.0.1", "mtu 1400", "\n1\n"} {
		if !strings.Contains(text, part) {
			w.Errorf("the kernel shows no %q: %s", part, text)
		}
	}
	connected(w)
}

// connected joins a running container, with the operational fields that clients send back from an inspection.
func connected(w *harness.World) {
	w.Helper()
	ask(w, http.StatusOK, http.MethodPost, "/networks/full/connect", object{"Container": "peer", "EndpointConfig": object{
		"IPAMConfig": object{"IPv4Address": "10.88.0.201", "IPv6Address": "fd88::201", "LinkLocalIPs": []string{"169.254.34.70"}}, "Aliases": []string{"mate"},
		"DriverOpts": object{"com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1"}, "Links": []string{"on-full:other"}, "GwPriority": 7, "MacAddress": "02:42:0a:58:00:c9",
		"NetworkID": "x", "EndpointID": "y", "Gateway": "10.88.0.77", "IPAddress": "10.88.0.78", "IPPrefixLen": 8, "IPv6Gateway": "fd88::77", "GlobalIPv6Address": "fd88::78",
		"GlobalIPv6PrefixLen": 8, "DNSNames": []string{"ignored"},
	}})
	in := w.Inspect("peer")
	ep := in.NetworkSettings.Networks["full"]
	holds(w, "connected", ep, object{"IPAddress": "10.88.0.201", "IPPrefixLen": 24, "Gateway": "10.88.0.1", "GlobalIPv6Address": "fd88::201", "GlobalIPv6PrefixLen": 64,
		"IPv6Gateway": "fd88::1", "MacAddress": "02:42:0a:58:00:c9", "GwPriority": 7, "Aliases": []string{"mate"}, "DNSNames": []string{"peer", "mate", in.ID[:12]},
		"NetworkID": read[object](w, "/networks/full")["Id"]})
	if len(ep.EndpointID) != 64 {
		w.Errorf("endpoint %q", ep.EndpointID)
	}
	text, _ := w.Exec("peer", "sh", "-c", "ip -o addr; ip route; ping -4 -c 1 -W 20 other | head -1; cat /proc/sys/net/ipv4/conf/eth1/log_martians")
	for _, part := range []string{"inet 10.88.0.201/24", "inet6 fd88::201/64", "169.254.34.70", "default via 10.88.0.1", "(10.88.0.200)", "\n1\n"} {
		if !strings.Contains(text, part) {
			w.Errorf("the kernel of the connected one shows no %q: %s", part, text)
		}
	}
	w.Remove("peer")
	w.Remove("on-full")
}

func networkFilters(w *harness.World) {
	ask(w, http.StatusCreated, http.MethodPost, "/networks/create", object{"Name": "plain", "Internal": true})
	in := read[object](w, "/networks/plain")
	holds(w, "plain", in, object{"Driver": "bridge", "Scope": "local", "Internal": true, "EnableIPv4": true, "EnableIPv6": false, "Labels": object{}, "Options": object{}})
	id := in["Id"].(string)
	for query, is := range map[string]string{
		"": "bridge full host none plain", filters("driver", "bridge"): "bridge full plain", filters("type", "custom"): "full plain", filters("type", "builtin"): "bridge host none",
		filters("label", "k"): "full", filters("label", "k=w"): "", filters("scope", "local", "name", "pl"): "plain", filters("id", id[:10]): "plain",
		filters("dangling", "true"): "full plain", filters("dangling", "false"): "bridge host none",
	} {
		var names []string
		for _, n := range read[[]network.Summary](w, "/networks?"+query) {
			names = append(names, n.Name)
		}
		slices.Sort(names)
		want(w, "/networks?"+query, strings.Join(names, " "), is)
	}
	pruned := read0[object](w, http.MethodPost, "/networks/prune?"+filters("label", "k=v"))
	holds(w, "pruned", pruned, object{"NetworksDeleted": []string{"full"}})
	ask(w, http.StatusNotFound, http.MethodGet, "/networks/full", nil)
	ask(w, http.StatusNotFound, http.MethodGet, "/networks/plain?scope=swarm", nil)
	ask(w, http.StatusNoContent, http.MethodDelete, "/networks/plain", nil)
	if _, err := net.InterfaceByName("br-full"); err == nil {
		w.Error("the bridge is still there")
	}
}
