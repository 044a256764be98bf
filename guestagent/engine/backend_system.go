//go:build linux

package engine

import (
	"context"
	"net/netip"
	"os"
	goruntime "runtime"
	"strings"
	"time"

	"github.com/berthhq/berth/guestagent/engine/api"
	"github.com/berthhq/berth/guestagent/engine/config"
	"github.com/berthhq/berth/guestagent/engine/container"
	"github.com/berthhq/berth/guestagent/engine/events"
	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/internal/buildinfo"
	apievents "github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/api/types/system"
	"golang.org/x/sys/unix"
)

// systemBackend is the engine itself.
type systemBackend struct{ e *Engine }

func (b systemBackend) Info(ctx context.Context) (*system.Info, error) {
	e, c := b.e, b.e.opts.Config
	images, err := e.images.Count(ctx)
	if err != nil {
		return nil, err
	}
	running, paused, stopped := e.containers.Counts()
	host, _ := os.Hostname()
	warnings, err := e.networks.Warnings()
	if err != nil {
		warnings = append(warnings, "WARNING: packet rules of other programs could not be read: "+err.Error())
	}
	has := runtime.MachineControllers()
	return &system.Info{
		ID: machineID(), Containers: running + paused + stopped, ContainersRunning: running, ContainersPaused: paused, ContainersStopped: stopped,
		Images: images, Driver: e.images.Driver(), DriverStatus: [][2]string{{"driver-type", "io.containerd.snapshotter.v1"}},
		Plugins: system.PluginsInfo{
			Volume: []string{"local"}, Network: []string{"bridge", "host", "null"}, Log: []string{"json-file", "local"},
		},
		MemoryLimit: has.Memory, SwapLimit: has.Memory, CPUCfsPeriod: has.CPU, CPUCfsQuota: has.CPU, CPUShares: has.CPU, CPUSet: has.CPUSet, PidsLimit: has.Pids,
		IPv4Forwarding: readTrimmed("/proc/sys/net/ipv4/ip_forward") == "1", OomKillDisable: e.cgroups.Version == "1", Debug: c.Debug,
		NFd: openFiles(), NGoroutines: goruntime.NumGoroutine(), SystemTime: time.Now().Format(time.RFC3339Nano),
		LoggingDriver: e.defaults().LogConfig.Type, CgroupDriver: e.cgroups.Driver, CgroupVersion: e.cgroups.Version,
		KernelVersion: kernelVersion(), OperatingSystem: osName(), OSVersion: osRelease("VERSION_ID"), OSType: "linux", Architecture: architecture(),
		IndexServerAddress: "https://index.docker.io/v1/",
		RegistryConfig:     registryConfig(c.Mirrors, c.Insecure),
		NCPU:               goruntime.NumCPU(), MemTotal: int64(container.MachineMemory()), DockerRootDir: e.opts.Layout.Root,
		HTTPProxy: c.Proxies.HTTP, HTTPSProxy: c.Proxies.HTTPS, NoProxy: c.Proxies.No, Name: host, Labels: append([]string{}, c.Labels...),
		ServerVersion: buildinfo.Version(), Runtimes: map[string]system.RuntimeWithStatus{"runc": {Runtime: system.Runtime{Path: "berth-supervisor"}}},
		DefaultRuntime: "runc", Swarm: swarm.Info{LocalNodeState: swarm.LocalNodeStateInactive}, LiveRestoreEnabled: true,
		InitBinary: "berth-init", FirewallBackend: &system.FirewallInfo{Driver: "nftables"}, SecurityOptions: e.securityOptions(),
		DefaultAddressPools: addressPools(c), DiscoveredDevices: runtime.DiscoveredDevices(),
		CDISpecDirs: []string{"/etc/cdi", "/var/run/cdi"}, Warnings: warnings,
	}, nil
}

func addressPools(c *config.Config) (out []system.NetworkAddressPool) {
	for _, p := range c.DefaultAddrPools {
		if base, err := netip.ParsePrefix(p.Base); err == nil {
			out = append(out, system.NetworkAddressPool{Base: base, Size: p.Size})
		}
	}
	return out
}

func (b systemBackend) Version(context.Context) (system.VersionResponse, error) {
	kernel := kernelVersion()
	details := map[string]string{
		"ApiVersion": api.Newest().String(), "MinAPIVersion": api.Oldest().String(), "Arch": goruntime.GOARCH, "Os": "linux", "KernelVersion": kernel,
		"GoVersion": goruntime.Version(), "GitCommit": buildinfo.Commit(), "BuildTime": buildinfo.Date(), "Experimental": "false",
	}
	return system.VersionResponse{
		Platform: system.PlatformInfo{Name: "berth"}, Version: buildinfo.Version(), APIVersion: api.Newest().String(), MinAPIVersion: api.Oldest().String(),
		Os: "linux", Arch: goruntime.GOARCH, KernelVersion: kernel, GoVersion: goruntime.Version(), GitCommit: buildinfo.Commit(), BuildTime: buildinfo.Date(),
		Components: []system.ComponentVersion{{Name: "Engine", Version: buildinfo.Version(), Details: details}},
	}, nil
}

func (b systemBackend) Events(ctx context.Context, since, until time.Time, f api.Filters, ready func(), each func(apievents.Message) error) error {
	replay, ch := b.e.bus.Subscribe(ctx, since, until, events.Match(f))
	ready()
	for _, m := range replay {
		if err := each(m); err != nil {
			return err
		}
	}
	for m := range ch {
		if err := each(m); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func kernelVersion() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

func architecture() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return goruntime.GOARCH
	}
	return unix.ByteSliceToString(u.Machine[:])
}

// osRelease reads a value of os-release(5).
func osRelease(key string) string {
	b, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, key+"="); ok {
			return strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	return ""
}

func osName() string {
	if name := osRelease("PRETTY_NAME"); name != "" {
		return name
	}
	return "Linux"
}

func readTrimmed(file string) string {
	b, _ := os.ReadFile(file)
	return strings.TrimSpace(string(b))
}

func machineID() string { return readTrimmed("/etc/machine-id") }

func openFiles() int {
	list, _ := os.ReadDir("/proc/self/fd")
	return len(list)
}
