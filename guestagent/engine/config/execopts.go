package config

import (
	"fmt"
	"strings"
)

// cgroupDriver is the one option of exec-opts, upper or lower case as docker takes it.
const cgroupDriver = "native.cgroupdriver"

// CgroupDriver is who is to make the cgroups of containers; "" leaves it to the machine.
func (c *Containers) CgroupDriver() string {
	for _, o := range c.ExecOpts {
		if k, v, _ := execOpt(o); strings.EqualFold(k, cgroupDriver) {
			return v
		}
	}
	return ""
}

// execOpt takes an option apart as docker's ParseKeyValueOpt does.
func execOpt(o string) (key, value string, err error) {
	k, v, ok := strings.Cut(o, "=")
	if !ok {
		return "", "", fmt.Errorf("unable to parse key/value option: %s", o)
	}
	return strings.TrimSpace(k), strings.TrimSpace(v), nil
}

func (c *Containers) checkExecOpts() error {
	for _, o := range c.ExecOpts {
		k, v, err := execOpt(o)
		if err != nil {
			return fmt.Errorf("exec-opts: %w", err)
		}
		if !strings.EqualFold(k, cgroupDriver) {
			return fmt.Errorf("exec-opts: %q is not an option; there is %s", k, cgroupDriver)
		}
		switch v {
		case "", "cgroupfs", "systemd":
		case "none":
			return fmt.Errorf("native.cgroupdriver option %s is internally used and cannot be specified manually", v)
		default:
			return fmt.Errorf("native.cgroupdriver option %s not supported", v)
		}
	}
	return nil
}
