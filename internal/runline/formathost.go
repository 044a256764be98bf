package runline

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/blkiodev"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
)

func (f *flags) files(r *container.CreateRequest) {
	h := r.HostConfig
	f.each("v", h.Binds)
	f.each("v", slices.Sorted(maps.Keys(r.Config.Volumes)))
	for i := range h.Mounts {
		f.value("mount", mountText(&h.Mounts[i]))
	}
	for _, dst := range slices.Sorted(maps.Keys(h.Tmpfs)) {
		f.value("tmpfs", strings.TrimSuffix(dst+":"+h.Tmpfs[dst], ":"))
	}
	f.each("volumes-from", h.VolumesFrom)
	f.is("read-only", h.ReadonlyRootfs)
	f.value("volume-driver", h.VolumeDriver)
	f.pairs("storage-opt", h.StorageOpt)
}

// mountText writes a mount as --mount takes it.
func mountText(m *mount.Mount) string {
	fields := []string{"type=" + string(m.Type)}
	add := func(key, value string) {
		if value != "" {
			fields = append(fields, key+"="+value)
		}
	}
	pairs := func(key string, m map[string]string) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			add(key, k+"="+m[k])
		}
	}
	flag := func(key string, on bool) {
		if on {
			fields = append(fields, key)
		}
	}
	add("source", m.Source)
	add("target", m.Target)
	flag("readonly", m.ReadOnly)
	add("consistency", string(m.Consistency))
	if o := m.BindOptions; o != nil {
		add("bind-propagation", string(o.Propagation))
		flag("bind-create-src", o.CreateMountpoint)
		for mode, on := range map[string]bool{"disabled": o.NonRecursive, "writable": o.ReadOnlyNonRecursive, "readonly": o.ReadOnlyForceRecursive} {
			if on {
				add("bind-recursive", mode)
			}
		}
	}
	if o := m.VolumeOptions; o != nil {
		flag("volume-nocopy", o.NoCopy)
		add("volume-subpath", o.Subpath)
		pairs("volume-label", o.Labels)
		if d := o.DriverConfig; d != nil {
			add("volume-driver", d.Name)
			pairs("volume-opt", d.Options)
		}
	}
	if o := m.ImageOptions; o != nil {
		add("image-subpath", o.Subpath)
	}
	if o := m.TmpfsOptions; o != nil {
		if o.SizeBytes != 0 {
			add("tmpfs-size", bytesText(o.SizeBytes))
		}
		if o.Mode != 0 {
			add("tmpfs-mode", strconv.FormatUint(uint64(o.Mode), 8))
		}
	}
	return record(fields)
}

func (f *flags) network(r *container.CreateRequest) {
	h := r.HostConfig
	var endpoints map[string]*network.EndpointSettings
	if r.NetworkingConfig != nil {
		endpoints = r.NetworkingConfig.EndpointsConfig
	}
	first := string(h.NetworkMode)
	f.endpoint(first, endpoints[first])
	for _, name := range slices.Sorted(maps.Keys(endpoints)) {
		if name != first {
			f.value("network", networkText(name, endpoints[name]))
		}
	}
	f.ports(r)
	f.each("link", h.Links)
	f.each("add-host", h.ExtraHosts)
	f.each("dns", addrTexts(h.DNS))
	f.each("dns-search", h.DNSSearch)
	f.each("dns-option", h.DNSOptions)
	f.value("hostname", r.Hostname)
	f.value("domainname", r.Domainname)
}

// endpoint says the first network, for which there are flags.
func (f *flags) endpoint(name string, e *network.EndpointSettings) {
	if e == nil {
		f.value("network", name)
		return
	}
	if len(e.DriverOpts) > 0 || e.GwPriority != 0 {
		f.value("network", networkText(name, &network.EndpointSettings{DriverOpts: e.DriverOpts, GwPriority: e.GwPriority}))
	} else {
		f.value("network", name)
	}
	f.each("network-alias", e.Aliases)
	if c := e.IPAMConfig; c != nil {
		f.value("ip", addrText(c.IPv4Address))
		f.value("ip6", addrText(c.IPv6Address))
		f.each("link-local-ip", addrTexts(c.LinkLocalIPs))
	}
	f.value("mac-address", e.MacAddress.String())
}

// networkText writes one network as --network takes it.
func networkText(name string, e *network.EndpointSettings) string {
	if e == nil {
		return name
	}
	fields := []string{"name=" + name}
	add := func(key, value string) {
		if value != "" {
			fields = append(fields, key+"="+value)
		}
	}
	for _, a := range e.Aliases {
		add("alias", a)
	}
	if c := e.IPAMConfig; c != nil {
		add("ip", addrText(c.IPv4Address))
		add("ip6", addrText(c.IPv6Address))
		for _, a := range addrTexts(c.LinkLocalIPs) {
			add("link-local-ip", a)
		}
	}
	add("mac-address", e.MacAddress.String())
	for _, k := range slices.Sorted(maps.Keys(e.DriverOpts)) {
		add("driver-opt", k+"="+e.DriverOpts[k])
	}
	if e.GwPriority != 0 {
		add("gw-priority", strconv.Itoa(e.GwPriority))
	}
	if len(fields) == 1 {
		return name
	}
	return record(fields)
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func addrTexts(list []netip.Addr) (out []string) {
	for _, a := range list {
		out = append(out, addrText(a))
	}
	return out
}

func (f *flags) ports(r *container.CreateRequest) {
	f.is("P", r.HostConfig.PublishAllPorts)
	bindings := r.HostConfig.PortBindings
	byNumber := func(a, b network.Port) int {
		return strings.Compare(fmt.Sprintf("%05d/%s", a.Num(), a.Proto()), fmt.Sprintf("%05d/%s", b.Num(), b.Proto()))
	}
	for _, p := range slices.SortedFunc(maps.Keys(bindings), byNumber) {
		for _, b := range bindings[p] {
			f.value("p", PublishText(p, b))
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(r.ExposedPorts), byNumber) {
		if _, ok := bindings[p]; !ok {
			f.value("expose", p.String())
		}
	}
}

// PublishText writes a published port as -p takes it: [[address:]host-port:]port[/protocol], "/tcp" left out.
func PublishText(p network.Port, b network.PortBinding) string {
	text := strings.TrimSuffix(p.String(), "/tcp")
	if b.HostPort != "" || b.HostIP.IsValid() {
		text = b.HostPort + ":" + text
	}
	switch {
	case b.HostIP.Is6():
		text = "[" + b.HostIP.String() + "]:" + text
	case b.HostIP.IsValid():
		text = b.HostIP.String() + ":" + text
	}
	return text
}

func (f *flags) resources(r *container.CreateRequest) {
	h := r.HostConfig
	size := func(name string, n int64) {
		if n != 0 {
			f.value(name, bytesText(n))
		}
	}
	size("memory", h.Memory)
	size("memory-reservation", h.MemoryReservation)
	size("memory-swap", h.MemorySwap)
	if h.MemorySwappiness != nil {
		f.value("memory-swappiness", fmt.Sprint(*h.MemorySwappiness))
	}
	size("shm-size", h.ShmSize)
	if h.NanoCPUs != 0 {
		f.value("cpus", strconv.FormatFloat(float64(h.NanoCPUs)/1e9, 'f', -1, 64))
	}
	if h.PidsLimit != nil {
		f.value("pids-limit", fmt.Sprint(*h.PidsLimit))
	}
	f.number("cpu-shares", h.CPUShares)
	f.number("cpu-period", h.CPUPeriod)
	f.number("cpu-quota", h.CPUQuota)
	f.number("cpu-rt-period", h.CPURealtimePeriod)
	f.number("cpu-rt-runtime", h.CPURealtimeRuntime)
	f.value("cpuset-cpus", h.CpusetCpus)
	f.value("cpuset-mems", h.CpusetMems)
	f.value("cgroup-parent", h.CgroupParent)
	f.is("oom-kill-disable", h.OomKillDisable != nil && *h.OomKillDisable)
	f.number("oom-score-adj", int64(h.OomScoreAdj))
	f.number("blkio-weight", int64(h.BlkioWeight))
	for _, u := range h.Ulimits {
		f.value("ulimit", u.String())
	}
	for _, d := range h.BlkioWeightDevice {
		f.value("blkio-weight-device", d.String())
	}
	for _, t := range []struct {
		name string
		list []*blkiodev.ThrottleDevice
	}{
		{"device-read-bps", h.BlkioDeviceReadBps}, {"device-write-bps", h.BlkioDeviceWriteBps},
		{"device-read-iops", h.BlkioDeviceReadIOps}, {"device-write-iops", h.BlkioDeviceWriteIOps},
	} {
		for _, d := range t.list {
			f.value(t.name, d.String())
		}
	}
}

// bytesText writes a size as a person does, where it is whole; -1 stands for itself.
func bytesText(n int64) string {
	for _, u := range []struct {
		size   int64
		letter string
	}{{1 << 30, "g"}, {1 << 20, "m"}, {1 << 10, "k"}} {
		if n > 0 && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.letter
		}
	}
	return strconv.FormatInt(n, 10)
}

func (f *flags) security(r *container.CreateRequest) {
	h := r.HostConfig
	f.is("privileged", h.Privileged)
	f.each("cap-add", h.CapAdd)
	f.each("cap-drop", h.CapDrop)
	for _, o := range h.SecurityOpt {
		if p, ok := profile(o); !ok || p == "unconfined" || p == "builtin" { // a profile stands in a file for a line
			f.value("security-opt", o)
		}
	}
	f.each("group-add", h.GroupAdd)
	for _, d := range h.Devices {
		text := d.PathOnHost + ":" + d.PathInContainer
		if d.CgroupPermissions != "rwm" {
			text += ":" + d.CgroupPermissions
		} else if d.PathInContainer == d.PathOnHost {
			text = d.PathOnHost
		}
		f.value("device", text)
	}
	for i := range h.DeviceRequests {
		f.deviceRequest(&h.DeviceRequests[i])
	}
	f.each("device-cgroup-rule", h.DeviceCgroupRules)
	f.pairs("sysctl", h.Sysctls)
	f.value("pid", string(h.PidMode))
	f.value("ipc", string(h.IpcMode))
	f.value("uts", string(h.UTSMode))
	f.value("userns", string(h.UsernsMode))
	f.value("cgroupns", string(h.CgroupnsMode))
	f.value("isolation", string(h.Isolation))
}

// deviceRequest writes CDI devices as --device and the rest as --gpus.
func (f *flags) deviceRequest(d *container.DeviceRequest) {
	if d.Driver == "cdi" {
		f.each("device", d.DeviceIDs)
		return
	}
	var fields []string
	switch {
	case d.Count == -1:
		fields = append(fields, "all")
	case d.Count != 0:
		fields = append(fields, fmt.Sprintf("count=%d", d.Count))
	}
	for _, o := range []struct{ key, value string }{{"driver", d.Driver}, {"device", strings.Join(d.DeviceIDs, ",")}} {
		if o.value != "" {
			fields = append(fields, o.key+"="+o.value)
		}
	}
	if len(d.Capabilities) == 1 {
		if more := strings.TrimSuffix(strings.Join(d.Capabilities[0], ","), "gpu"); more != "" {
			fields = append(fields, "capabilities="+strings.TrimSuffix(more, ","))
		}
	}
	if len(fields) > 0 {
		f.value("gpus", record(fields))
	}
}
