// Package runflags is the flags of run and create: docker's names and forms, read into the API's types by docker's own
// value parsers. The files cut them by what they are about. It talks to no engine. The command line and package runline
// use it, so that a pasted line means in a window what it means in a terminal.
package runflags

import (
	"time"

	"github.com/docker/cli/opts"
	"github.com/spf13/pflag"
)

// Flags are the values of all flags.
type Flags struct {
	Name     string
	Platform string
	Pull     string
	CIDFile  string

	process
	files
	network
	resources
	security
	health
}

// process is what runs and how it is kept.
type process struct {
	env, envFile, labels, labelFile, annotations opts.ListOpts
	attach                                       opts.ListOpts
	user, workdir, entrypoint                    string
	entrypointSet                                bool
	tty, interactive, autoRemove, initProcess    bool
	restart, stopSignal, logDriver               string
	stopTimeout                                  int
	logOpts                                      opts.ListOpts
	runtime                                      string
}

// files is what is mounted.
type files struct {
	volumes, volumesFrom, tmpfs opts.ListOpts
	mounts                      opts.MountOpt
	readOnly                    bool
	volumeDriver                string
	storageOpts                 opts.ListOpts
}

// network is names, addresses and ports.
type network struct {
	networks                                    opts.NetworkOpt
	publish, expose, links, aliases, extraHosts opts.ListOpts
	dns, dnsSearch, dnsOptions, linkLocal       opts.ListOpts
	publishAll                                  bool
	hostname, domainname, mac, ip, ip6          string
}

// resources is limits.
type resources struct {
	memory, reservation, shm               opts.MemBytes
	swap                                   opts.MemSwapBytes
	swappiness, pids                       int64
	cpus                                   opts.NanoCPUs
	cpuShares, cpuPeriod, cpuQuota         int64
	rtPeriod, rtRuntime                    int64
	cpuset, mems, cgroupParent             string
	oomKillDisable                         bool
	oomScore                               int
	blkioWeight                            uint16
	ulimits                                *opts.UlimitOpt
	weightDevices                          opts.WeightdeviceOpt
	readBps, writeBps, readIOps, writeIOps opts.ThrottledeviceOpt
}

// security is rights, namespaces and devices.
type security struct {
	privileged                                 bool
	capAdd, capDrop, securityOpt, groupAdd     opts.ListOpts
	devices, deviceRules                       opts.ListOpts
	gpus                                       opts.GpuOpts
	sysctls                                    *opts.MapOpts
	pid, ipc, uts, userns, cgroupns, isolation string
}

// health is the health check.
type health struct {
	cmd                                           string
	interval, timeout, startPeriod, startInterval time.Duration
	retries                                       int
	none                                          bool
}

// New declares all flags in a set.
func New(f *pflag.FlagSet) *Flags {
	c := &Flags{}
	f.StringVar(&c.Name, "name", "", "Assign a name to the container")
	f.StringVar(&c.Platform, "platform", "", "Set platform if server is multi-platform capable")
	f.StringVar(&c.Pull, "pull", "missing", `Pull image before running ("always", "missing", "never")`)
	f.StringVar(&c.CIDFile, "cidfile", "", "Write the container ID to the file")
	c.process.declare(f)
	c.files.declare(f)
	c.network.declare(f)
	c.resources.declare(f)
	c.security.declare(f)
	c.health.declare(f)
	return c
}

func listVar(f *pflag.FlagSet, l *opts.ListOpts, name, short, usage string, check opts.ValidatorFctType) {
	*l = opts.NewListOpts(check)
	f.VarP(l, name, short, usage)
}

func (p *process) declare(f *pflag.FlagSet) {
	listVar(f, &p.env, "env", "e", "Set environment variables", opts.ValidateEnv)
	listVar(f, &p.envFile, "env-file", "", "Read in a file of environment variables", nil)
	listVar(f, &p.labels, "label", "l", "Set meta data on a container", opts.ValidateLabel)
	listVar(f, &p.labelFile, "label-file", "", "Read in a line delimited file of labels", nil)
	listVar(f, &p.annotations, "annotation", "", "Add an annotation to the container (passed through to the OCI runtime)", nil)
	listVar(f, &p.attach, "attach", "a", "Attach to STDIN, STDOUT or STDERR", validateAttach)
	f.StringVarP(&p.user, "user", "u", "", "Username or UID (format: <name|uid>[:<group|gid>])")
	f.StringVarP(&p.workdir, "workdir", "w", "", "Working directory inside the container")
	f.Var(&once{&p.entrypoint, &p.entrypointSet}, "entrypoint", "Overwrite the default ENTRYPOINT of the image")
	f.BoolVarP(&p.tty, "tty", "t", false, "Allocate a pseudo-TTY")
	f.BoolVarP(&p.interactive, "interactive", "i", false, "Keep STDIN open even if not attached")
	f.BoolVar(&p.autoRemove, "rm", false, "Automatically remove the container and its associated anonymous volumes when it exits")
	f.BoolVar(&p.initProcess, "init", false, "Run an init inside the container that forwards signals and reaps processes")
	f.StringVar(&p.restart, "restart", "no", "Restart policy to apply when a container exits")
	f.StringVar(&p.stopSignal, "stop-signal", "", "Signal to stop the container")
	f.IntVar(&p.stopTimeout, "stop-timeout", 0, "Timeout (in seconds) to stop a container")
	f.StringVar(&p.logDriver, "log-driver", "", "Logging driver for the container")
	listVar(f, &p.logOpts, "log-opt", "", "Log driver options", nil)
	f.StringVar(&p.runtime, "runtime", "", "Runtime to use for this container")
}

func (p *files) declare(f *pflag.FlagSet) {
	listVar(f, &p.volumes, "volume", "v", "Bind mount a volume", nil)
	listVar(f, &p.volumesFrom, "volumes-from", "", "Mount volumes from the specified container(s)", nil)
	listVar(f, &p.tmpfs, "tmpfs", "", "Mount a tmpfs directory", nil)
	f.Var(&p.mounts, "mount", "Attach a filesystem mount to the container")
	f.BoolVar(&p.readOnly, "read-only", false, "Mount the container's root filesystem as read only")
	f.StringVar(&p.volumeDriver, "volume-driver", "", "Optional volume driver for the container")
	listVar(f, &p.storageOpts, "storage-opt", "", "Storage driver options for the container", nil)
}

func (p *network) declare(f *pflag.FlagSet) {
	f.Var(&p.networks, "network", "Connect a container to a network")
	f.Var(&p.networks, "net", "Connect a container to a network")
	_ = f.MarkHidden("net")
	listVar(f, &p.publish, "publish", "p", "Publish a container's port(s) to the host", nil)
	f.BoolVarP(&p.publishAll, "publish-all", "P", false, "Publish all exposed ports to random ports")
	listVar(f, &p.expose, "expose", "", "Expose a port or a range of ports", nil)
	listVar(f, &p.links, "link", "", "Add link to another container", opts.ValidateLink)
	listVar(f, &p.aliases, "network-alias", "", "Add network-scoped alias for the container", nil)
	f.Var(&p.aliases, "net-alias", "Add network-scoped alias for the container")
	_ = f.MarkHidden("net-alias")
	listVar(f, &p.extraHosts, "add-host", "", "Add a custom host-to-IP mapping (host:ip)", opts.ValidateExtraHost)
	listVar(f, &p.dns, "dns", "", "Set custom DNS servers", opts.ValidateIPAddress)
	listVar(f, &p.dnsSearch, "dns-search", "", "Set custom DNS search domains", opts.ValidateDNSSearch)
	listVar(f, &p.dnsOptions, "dns-option", "", "Set DNS options", nil)
	f.Var(&p.dnsOptions, "dns-opt", "Set DNS options")
	_ = f.MarkHidden("dns-opt")
	listVar(f, &p.linkLocal, "link-local-ip", "", "Container IPv4/IPv6 link-local addresses", opts.ValidateIPAddress)
	f.StringVarP(&p.hostname, "hostname", "h", "", "Container host name")
	f.StringVar(&p.domainname, "domainname", "", "Container NIS domain name")
	f.StringVar(&p.mac, "mac-address", "", "Container MAC address (e.g., 92:d0:c6:0a:29:33)")
	f.StringVar(&p.ip, "ip", "", "IPv4 address (e.g., 172.30.100.104)")
	f.StringVar(&p.ip6, "ip6", "", "IPv6 address (e.g., 2001:db8::33)")
}

func (p *resources) declare(f *pflag.FlagSet) {
	f.VarP(&p.memory, "memory", "m", "Memory limit")
	f.Var(&p.reservation, "memory-reservation", "Memory soft limit")
	f.Var(&p.swap, "memory-swap", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap")
	f.Int64Var(&p.swappiness, "memory-swappiness", -1, "Tune container memory swappiness (0 to 100)")
	f.Var(&p.shm, "shm-size", "Size of /dev/shm")
	f.Int64Var(&p.pids, "pids-limit", 0, "Tune container pids limit (set -1 for unlimited)")
	f.Var(&p.cpus, "cpus", "Number of CPUs")
	f.Int64VarP(&p.cpuShares, "cpu-shares", "c", 0, "CPU shares (relative weight)")
	f.Int64Var(&p.cpuPeriod, "cpu-period", 0, "Limit CPU CFS (Completely Fair Scheduler) period")
	f.Int64Var(&p.cpuQuota, "cpu-quota", 0, "Limit CPU CFS (Completely Fair Scheduler) quota")
	f.Int64Var(&p.rtPeriod, "cpu-rt-period", 0, "Limit CPU real-time period in microseconds")
	f.Int64Var(&p.rtRuntime, "cpu-rt-runtime", 0, "Limit CPU real-time runtime in microseconds")
	f.StringVar(&p.cpuset, "cpuset-cpus", "", "CPUs in which to allow execution (0-3, 0,1)")
	f.StringVar(&p.mems, "cpuset-mems", "", "MEMs in which to allow execution (0-3, 0,1)")
	f.StringVar(&p.cgroupParent, "cgroup-parent", "", "Optional parent cgroup for the container")
	f.BoolVar(&p.oomKillDisable, "oom-kill-disable", false, "Disable OOM Killer")
	f.IntVar(&p.oomScore, "oom-score-adj", 0, "Tune host's OOM preferences (-1000 to 1000)")
	f.Uint16Var(&p.blkioWeight, "blkio-weight", 0, "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)")
	p.ulimits = opts.NewUlimitOpt(nil)
	f.Var(p.ulimits, "ulimit", "Ulimit options")
	p.weightDevices = opts.NewWeightdeviceOpt(opts.ValidateWeightDevice)
	f.Var(&p.weightDevices, "blkio-weight-device", "Block IO weight (relative device weight)")
	for _, d := range []struct {
		to    *opts.ThrottledeviceOpt
		name  string
		check opts.ValidatorThrottleFctType
	}{
		{&p.readBps, "device-read-bps", opts.ValidateThrottleBpsDevice}, {&p.writeBps, "device-write-bps", opts.ValidateThrottleBpsDevice},
		{&p.readIOps, "device-read-iops", opts.ValidateThrottleIOpsDevice}, {&p.writeIOps, "device-write-iops", opts.ValidateThrottleIOpsDevice},
	} {
		*d.to = opts.NewThrottledeviceOpt(d.check)
		f.Var(d.to, d.name, "Limit the rate of a device")
	}
}

func (p *security) declare(f *pflag.FlagSet) {
	f.BoolVar(&p.privileged, "privileged", false, "Give extended privileges to this container")
	listVar(f, &p.capAdd, "cap-add", "", "Add Linux capabilities", nil)
	listVar(f, &p.capDrop, "cap-drop", "", "Drop Linux capabilities", nil)
	listVar(f, &p.securityOpt, "security-opt", "", "Security Options", nil)
	listVar(f, &p.groupAdd, "group-add", "", "Add additional groups to join", nil)
	listVar(f, &p.devices, "device", "", "Add a host device to the container", nil)
	listVar(f, &p.deviceRules, "device-cgroup-rule", "", "Add a rule to the cgroup allowed devices list", nil)
	f.Var(&p.gpus, "gpus", "GPU devices to add to the container ('all' to pass all GPUs)")
	p.sysctls = opts.NewMapOpts(nil, opts.ValidateSysctl)
	f.Var(p.sysctls, "sysctl", "Sysctl options")
	f.StringVar(&p.pid, "pid", "", "PID namespace to use")
	f.StringVar(&p.ipc, "ipc", "", "IPC mode to use")
	f.StringVar(&p.uts, "uts", "", "UTS namespace to use")
	f.StringVar(&p.userns, "userns", "", "User namespace to use")
	f.StringVar(&p.cgroupns, "cgroupns", "", `Cgroup namespace to use ("host", "private")`)
	f.StringVar(&p.isolation, "isolation", "", "Container isolation technology")
}

func (p *health) declare(f *pflag.FlagSet) {
	f.StringVar(&p.cmd, "health-cmd", "", "Command to run to check health")
	f.DurationVar(&p.interval, "health-interval", 0, "Time between running the check (ms|s|m|h) (default 0s)")
	f.DurationVar(&p.timeout, "health-timeout", 0, "Maximum time to allow one check to run (ms|s|m|h) (default 0s)")
	f.DurationVar(&p.startPeriod, "health-start-period", 0, "Start period for the container to initialize before starting health-retries countdown (ms|s|m|h) (default 0s)")
	f.DurationVar(&p.startInterval, "health-start-interval", 0, "Time between running the check during the start period (ms|s|m|h) (default 0s)")
	f.IntVar(&p.retries, "health-retries", 0, "Consecutive failures needed to report unhealthy")
	f.BoolVar(&p.none, "no-healthcheck", false, "Disable any container-specified HEALTHCHECK")
}
