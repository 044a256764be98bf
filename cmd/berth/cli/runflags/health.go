package runflags

import (
	"errors"
	"fmt"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// healthFlags replace or switch off the image's health check.
type healthFlags struct {
	command                                       string
	interval, timeout, startPeriod, startInterval time.Duration
	retries                                       int
	off                                           bool
}

func (h *healthFlags) add(fs *pflag.FlagSet) {
	fs.StringVar(&h.command, "health-cmd", "", "Command to run to check health")
	fs.DurationVar(&h.interval, "health-interval", 0, "Time between running the check (ms|s|m|h) (default 0s)")
	fs.IntVar(&h.retries, "health-retries", 0, "Consecutive failures needed to report unhealthy")
	fs.DurationVar(&h.timeout, "health-timeout", 0, "Maximum time to allow one check to run (ms|s|m|h) (default 0s)")
	fs.DurationVar(&h.startPeriod, "health-start-period", 0,
		"Start period for the container to initialize before starting health-retries countdown (ms|s|m|h) (default 0s)")
	fs.DurationVar(&h.startInterval, "health-start-interval", 0,
		"Time between running the check during the start period (ms|s|m|h) (default 0s)")
	fs.BoolVar(&h.off, "no-healthcheck", false, "Disable any container-specified HEALTHCHECK")
}

func (h *healthFlags) apply(_ *pflag.FlagSet, spec *Spec) error {
	any := h.command != "" || h.interval != 0 || h.timeout != 0 || h.startPeriod != 0 || h.startInterval != 0 || h.retries != 0
	switch {
	case h.off && any:
		return errors.New("--no-healthcheck conflicts with --health-* options")
	case h.off:
		spec.Config.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
		return nil
	case !any:
		return nil
	}
	for _, f := range []struct {
		name     string
		negative bool
	}{
		{"interval", h.interval < 0}, {"timeout", h.timeout < 0}, {"retries", h.retries < 0},
		{"start-period", h.startPeriod < 0}, {"start-interval", h.startInterval < 0},
	} {
		if f.negative {
			return fmt.Errorf("--health-%s cannot be negative", f.name)
		}
	}
	c := &container.HealthConfig{
		Interval: h.interval, Timeout: h.timeout, StartPeriod: h.startPeriod, StartInterval: h.startInterval, Retries: h.retries,
	}
	if h.command != "" {
		c.Test = []string{"CMD-SHELL", h.command}
	}
	spec.Config.Healthcheck = c
	return nil
}
