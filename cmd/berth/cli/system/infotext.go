package system

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/berthhq/berth/internal/buildinfo"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/system"
)

// printInfo writes what docker info writes of an engine like ours, in its order: people and scripts look for its words.
func printInfo(out io.Writer, i *system.Info) {
	line := func(label string, value any) { fmt.Fprintf(out, " %s: %v\n", label, value) }
	some := func(label, value string) {
		if value != "" {
			line(label, value)
		}
	}
	fmt.Fprintf(out, "Client:\n Version:    %s\n\nServer:\n", buildinfo.Version())
	fmt.Fprintf(out, " Containers: %d\n  Running: %d\n  Paused: %d\n  Stopped: %d\n", i.Containers, i.ContainersRunning, i.ContainersPaused, i.ContainersStopped)
	line("Images", i.Images)
	line("Server Version", i.ServerVersion)
	line("Storage Driver", i.Driver)
	for _, kv := range i.DriverStatus {
		fmt.Fprintf(out, "  %s: %s\n", kv[0], kv[1])
	}
	line("Logging Driver", i.LoggingDriver)
	line("Cgroup Driver", i.CgroupDriver)
	line("Cgroup Version", i.CgroupVersion)
	fmt.Fprintf(out, " Plugins:\n  Volume: %s\n  Network: %s\n  Log: %s\n",
		strings.Join(i.Plugins.Volume, " "), strings.Join(i.Plugins.Network, " "), strings.Join(i.Plugins.Log, " "))
	line("Swarm", i.Swarm.LocalNodeState)
	line("Runtimes", strings.Join(slices.Sorted(maps.Keys(i.Runtimes)), " "))
	line("Default Runtime", i.DefaultRuntime)
	line("Init Binary", i.InitBinary)
	line("containerd version", i.ContainerdCommit.ID)
	line("runc version", i.RuncCommit.ID)
	line("init version", i.InitCommit.ID)
	printOptions(out, i.SecurityOptions)
	line("Kernel Version", i.KernelVersion)
	line("Operating System", i.OperatingSystem)
	line("OSType", i.OSType)
	line("Architecture", i.Architecture)
	line("CPUs", i.NCPU)
	line("Total Memory", units.BytesSize(float64(i.MemTotal)))
	line("Name", i.Name)
	line("ID", i.ID)
	line("Docker Root Dir", i.DockerRootDir)
	line("Debug Mode", i.Debug)
	some("HTTP Proxy", i.HTTPProxy)
	some("HTTPS Proxy", i.HTTPSProxy)
	some("No Proxy", i.NoProxy)
	printList(out, "Labels", i.Labels)
	line("Experimental", i.ExperimentalBuild)
	if i.RegistryConfig != nil {
		printList(out, "Registry Mirrors", i.RegistryConfig.Mirrors)
	}
	line("Live Restore Enabled", i.LiveRestoreEnabled)
	if i.FirewallBackend != nil {
		line("Firewall Backend", i.FirewallBackend.Driver)
	}
}

func printList(out io.Writer, label string, values []string) {
	if len(values) == 0 {
		return
	}
	fmt.Fprintf(out, " %s:\n", label)
	for _, v := range values {
		fmt.Fprintf(out, "  %s\n", v)
	}
}

// printOptions writes security options, each "name=seccomp,profile=builtin", as docker does.
func printOptions(out io.Writer, options []string) {
	if len(options) == 0 {
		return
	}
	fmt.Fprintln(out, " Security Options:")
	for _, o := range options {
		for k, part := range strings.Split(o, ",") {
			key, value, _ := strings.Cut(part, "=")
			if k == 0 {
				fmt.Fprintf(out, "  %s\n", value)
			} else {
				fmt.Fprintf(out, "   %s: %s\n", strings.ToUpper(key[:min(1, len(key))])+key[min(1, len(key)):], value)
			}
		}
	}
}
