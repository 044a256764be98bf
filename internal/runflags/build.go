package runflags

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/hostpath"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/api/types/container"
	mobynet "github.com/moby/moby/api/types/network"
	"github.com/spf13/pflag"
)

// Spec is a container to create.
type Spec struct {
	Config  *container.Config
	Host    *container.HostConfig
	Network *mobynet.NetworkingConfig
}

// Build reads the flags into the API's types. image and command are the arguments. Errors: Invalid.
func (c *Flags) Build(f *pflag.FlagSet, image string, command []string) (*Spec, error) {
	s := &Spec{Config: &container.Config{Image: image, Cmd: command}, Host: &container.HostConfig{}, Network: &mobynet.NetworkingConfig{}}
	for _, step := range []func(*pflag.FlagSet, *Spec) error{
		c.buildProcess, c.buildFiles, c.buildNetwork, c.buildPorts, c.buildResources, c.buildSecurity, c.buildHealth,
	} {
		if err := step(f, s); err != nil {
			return nil, errdefs.Invalid("%w", err)
		}
	}
	if !slices.Contains([]string{"always", "missing", "never"}, c.Pull) {
		return nil, errdefs.Invalid("invalid pull option: '%s': must be one of \"always\", \"missing\" or \"never\"", c.Pull)
	}
	return s, nil
}

func (c *Flags) buildProcess(f *pflag.FlagSet, s *Spec) (err error) {
	p := &c.process
	cfg, host := s.Config, s.Host
	if cfg.Env, err = opts.ReadKVEnvStrings(p.envFile.GetSlice(), p.env.GetSlice()); err != nil {
		return err
	}
	labels, err := opts.ReadKVStrings(p.labelFile.GetSlice(), p.labels.GetSlice())
	if err != nil {
		return err
	}
	cfg.Labels = opts.ConvertKVStringsToMap(labels)
	host.Annotations = opts.ConvertKVStringsToMap(p.annotations.GetSlice())
	cfg.User, cfg.WorkingDir, cfg.Tty, cfg.OpenStdin = p.user, p.workdir, p.tty, p.interactive
	cfg.StopSignal = p.stopSignal
	if f.Changed("stop-timeout") {
		cfg.StopTimeout = &p.stopTimeout
	}
	if p.entrypointSet {
		cfg.Entrypoint = []string{p.entrypoint}
	}
	cfg.AttachStdin, cfg.AttachStdout, cfg.AttachStderr = p.streams()
	cfg.StdinOnce = cfg.OpenStdin && cfg.AttachStdin
	host.AutoRemove = p.autoRemove
	if f.Changed("init") {
		host.Init = &p.initProcess
	}
	if host.RestartPolicy, err = opts.ParseRestartPolicy(p.restart); err != nil {
		return err
	}
	if p.autoRemove && !host.RestartPolicy.IsNone() {
		return fmt.Errorf("conflicting options: cannot specify both --restart and --rm")
	}
	host.LogConfig = container.LogConfig{Type: p.logDriver, Config: opts.ConvertKVStringsToMap(p.logOpts.GetSlice())}
	host.Runtime = p.runtime
	return nil
}

// streams says which streams a foreground run attaches: those that -a names, else output, and input with -i.
func (p *process) streams() (in, out, errs bool) {
	if p.attach.Len() == 0 {
		return p.interactive, true, true
	}
	return p.attach.Get("stdin"), p.attach.Get("stdout"), p.attach.Get("stderr")
}

func (c *Flags) buildFiles(_ *pflag.FlagSet, s *Spec) error {
	p := &c.files
	s.Config.Volumes = map[string]struct{}{}
	for _, v := range p.volumes.GetSlice() {
		if !strings.Contains(v, ":") {
			s.Config.Volumes[v] = struct{}{}
			continue
		}
		// A relative path of the host is meant from here, as docker means it.
		here, _ := os.Getwd() // Bind says so where it needs one and there is none
		v, err := hostpath.Bind(runtime.GOOS, here, v)
		if err != nil {
			return err
		}
		s.Host.Binds = append(s.Host.Binds, v)
	}
	s.Host.Tmpfs = map[string]string{}
	for _, t := range p.tmpfs.GetSlice() {
		dst, o, _ := strings.Cut(t, ":")
		s.Host.Tmpfs[dst] = o
	}
	s.Host.Mounts = p.mounts.Value()
	s.Host.VolumesFrom = p.volumesFrom.GetSlice()
	s.Host.ReadonlyRootfs, s.Host.VolumeDriver = p.readOnly, p.volumeDriver
	s.Host.StorageOpt = opts.ConvertKVStringsToMap(p.storageOpts.GetSlice())
	return nil
}

func (c *Flags) buildSecurity(_ *pflag.FlagSet, s *Spec) error {
	p, h := &c.security, s.Host
	h.Privileged, h.CapAdd, h.CapDrop, h.GroupAdd = p.privileged, p.capAdd.GetSlice(), p.capDrop.GetSlice(), p.groupAdd.GetSlice()
	h.PidMode, h.IpcMode, h.UTSMode = container.PidMode(p.pid), container.IpcMode(p.ipc), container.UTSMode(p.uts)
	h.UsernsMode, h.CgroupnsMode, h.Isolation = container.UsernsMode(p.userns), container.CgroupnsMode(p.cgroupns), container.Isolation(p.isolation)
	h.Sysctls = p.sysctls.GetAll()
	h.DeviceCgroupRules = p.deviceRules.GetSlice()
	h.DeviceRequests = p.gpus.Value()
	for _, o := range p.securityOpt.GetSlice() {
		v, err := securityOption(o)
		if err != nil {
			return err
		}
		h.SecurityOpt = append(h.SecurityOpt, v)
	}
	h.Devices = []container.DeviceMapping{}
	var cdi []string
	for _, d := range p.devices.GetSlice() {
		if isCDI(d) {
			cdi = append(cdi, d)
			continue
		}
		m, err := device(d)
		if err != nil {
			return err
		}
		h.Devices = append(h.Devices, m)
	}
	if len(cdi) > 0 {
		h.DeviceRequests = append(h.DeviceRequests, container.DeviceRequest{Driver: "cdi", DeviceIDs: cdi})
	}
	switch {
	case !h.PidMode.Valid():
		return fmt.Errorf("--pid: invalid PID mode")
	case !h.UTSMode.Valid():
		return fmt.Errorf("--uts: invalid UTS mode")
	case !h.UsernsMode.Valid():
		return fmt.Errorf("--userns: invalid USER mode")
	case !h.CgroupnsMode.Valid():
		return fmt.Errorf("--cgroupns: invalid CGROUP mode")
	}
	return nil
}

// securityOption reads a seccomp profile's file: the engine gets its content.
func securityOption(o string) (string, error) {
	k, v, ok := strings.Cut(o, "=")
	if !ok {
		k, v, ok = strings.Cut(o, ":")
	}
	if !ok && o != "no-new-privileges" {
		return "", fmt.Errorf("Invalid --security-opt: %q", o)
	}
	if k != "seccomp" || v == "unconfined" || v == "builtin" {
		return o, nil
	}
	b, err := os.ReadFile(v)
	if err != nil {
		return "", fmt.Errorf("opening seccomp profile (%s) failed: %w", v, err)
	}
	var profile bytes.Buffer
	if err := json.Compact(&profile, b); err != nil {
		return "", fmt.Errorf("compacting json for seccomp profile (%s) failed: %w", v, err)
	}
	return "seccomp=" + profile.String(), nil
}

// isCDI tells vendor/class=name from a path.
func isCDI(d string) bool {
	kind, name, ok := strings.Cut(d, "=")
	vendor, class, slash := strings.Cut(kind, "/")
	return ok && slash && vendor != "" && class != "" && name != "" && !strings.HasPrefix(d, "/")
}

func device(d string) (container.DeviceMapping, error) {
	m := container.DeviceMapping{CgroupPermissions: "rwm"}
	parts := strings.Split(d, ":")
	m.PathOnHost, m.PathInContainer = parts[0], parts[0]
	switch {
	case len(parts) > 3 || parts[0] == "":
		return m, fmt.Errorf("invalid device specification: %s", d)
	case len(parts) == 3:
		m.PathInContainer, m.CgroupPermissions = parts[1], parts[2]
	case len(parts) == 2 && strings.Trim(parts[1], "rwm") == "":
		m.CgroupPermissions = parts[1]
	case len(parts) == 2:
		m.PathInContainer = parts[1]
	}
	if strings.Trim(m.CgroupPermissions, "rwm") != "" || !filepath.IsAbs(m.PathInContainer) {
		return m, fmt.Errorf("invalid device specification: %s", d)
	}
	return m, nil
}

func (c *Flags) buildHealth(f *pflag.FlagSet, s *Spec) error {
	p := &c.health
	set := p.cmd != "" || p.interval != 0 || p.timeout != 0 || p.startPeriod != 0 || p.startInterval != 0 || p.retries != 0
	if p.none {
		if set {
			return fmt.Errorf("--no-healthcheck conflicts with --health-* options")
		}
		s.Config.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
		return nil
	}
	if !set {
		return nil
	}
	for name, d := range map[string]time.Duration{"--health-interval": p.interval, "--health-timeout": p.timeout, "--health-start-period": p.startPeriod, "--health-start-interval": p.startInterval} {
		if d < 0 {
			return fmt.Errorf("%s cannot be negative", name)
		}
	}
	if p.retries < 0 {
		return fmt.Errorf("--health-retries cannot be negative")
	}
	h := &container.HealthConfig{Interval: p.interval, Timeout: p.timeout, StartPeriod: p.startPeriod, StartInterval: p.startInterval, Retries: p.retries}
	if p.cmd != "" {
		h.Test = []string{"CMD-SHELL", p.cmd}
	}
	s.Config.Healthcheck = h
	return nil
}

func addresses(list []string) ([]netip.Addr, error) {
	out := []netip.Addr{}
	for _, a := range list {
		addr, err := netip.ParseAddr(a)
		if err != nil {
			return nil, fmt.Errorf("%s is not an IP address", a)
		}
		out = append(out, addr)
	}
	return out, nil
}
