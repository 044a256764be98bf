package runflags

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/docker/cli/opts"
	"github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
	cdi "tags.cncf.io/container-device-interface/pkg/parser"
)

// deviceFlags give devices to the container.
type deviceFlags struct {
	devices, rules opts.ListOpts
	gpus           opts.GpuOpts
}

func (d *deviceFlags) add(fs *pflag.FlagSet) {
	d.devices = opts.NewListOpts(nil)
	d.rules = opts.NewListOpts(validateRule)
	fs.Var(&d.devices, "device", "Add a host device to the container")
	fs.Var(&d.rules, "device-cgroup-rule", "Add a rule to the cgroup allowed devices list")
	fs.Var(&d.gpus, "gpus", "GPU devices to add to the container ('all' to pass all GPUs)")
}

func (d *deviceFlags) apply(_ *pflag.FlagSet, spec *Spec) error {
	r := &spec.HostConfig.Resources
	r.DeviceCgroupRules, r.DeviceRequests = d.rules.GetSlice(), d.gpus.Value()
	r.Devices = []container.DeviceMapping{}
	var names []string
	for _, dev := range d.devices.GetSlice() {
		if cdi.IsQualifiedName(dev) {
			names = append(names, dev)
			continue
		}
		m, err := parseDevice(dev)
		if err != nil {
			return err
		}
		r.Devices = append(r.Devices, m)
	}
	if len(names) > 0 {
		r.DeviceRequests = append(r.DeviceRequests, container.DeviceRequest{Driver: "cdi", DeviceIDs: names})
	}
	return nil
}

// parseDevice reads host[:container][:rwm]. The container's path must be absolute.
func parseDevice(s string) (container.DeviceMapping, error) {
	parts := strings.Split(s, ":")
	if len(parts) > 3 || parts[0] == "" {
		return container.DeviceMapping{}, fmt.Errorf("bad format for path: %s", s)
	}
	m := container.DeviceMapping{PathOnHost: parts[0], PathInContainer: parts[0], CgroupPermissions: "rwm"}
	switch {
	case len(parts) == 3 && !deviceMode(parts[2]):
		return m, fmt.Errorf("bad mode specified: %s", parts[2])
	case len(parts) == 3:
		m.PathInContainer, m.CgroupPermissions = parts[1], parts[2]
	case len(parts) == 2 && deviceMode(parts[1]):
		m.CgroupPermissions = parts[1]
	case len(parts) == 2:
		m.PathInContainer = path.Clean(parts[1])
	}
	if len(parts) == 1 || len(parts) == 2 && m.PathInContainer == parts[0] {
		m.PathOnHost = path.Clean(parts[0])
		m.PathInContainer = m.PathOnHost
	}
	if !path.IsAbs(m.PathInContainer) {
		return m, fmt.Errorf("%s is not an absolute path", m.PathInContainer)
	}
	return m, nil
}

// deviceMode says whether s is made of r, w and m, each at most once.
func deviceMode(s string) bool {
	if s == "" {
		return false
	}
	for i, c := range s {
		if !strings.ContainsRune("rwm", c) || strings.ContainsRune(s[:i], c) {
			return false
		}
	}
	return true
}

func validateRule(s string) (string, error) {
	ok, err := regexp.MatchString(`^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$`, s)
	if err != nil || !ok {
		return s, fmt.Errorf("invalid device cgroup format '%s'", s)
	}
	return s, nil
}
