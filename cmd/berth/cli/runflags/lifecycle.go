package runflags

import (
	"github.com/docker/cli/opts"
	"github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// lifecycleFlags say how the container ends and comes back.
type lifecycleFlags struct {
	restart, stopSignal, cidFile, runtime string
	stopTimeout                           int
	autoRemove, init                      bool
}

func (l *lifecycleFlags) add(fs *pflag.FlagSet) {
	fs.StringVar(&l.restart, "restart", string(container.RestartPolicyDisabled), "Restart policy to apply when a container exits")
	fs.StringVar(&l.stopSignal, "stop-signal", "", "Signal to stop the container")
	fs.IntVar(&l.stopTimeout, "stop-timeout", 0, "Timeout (in seconds) to stop a container")
	fs.BoolVar(&l.autoRemove, "rm", false, "Automatically remove the container and its associated anonymous volumes when it exits")
	fs.BoolVar(&l.init, "init", false, "Run an init inside the container that forwards signals and reaps processes")
	fs.StringVar(&l.cidFile, "cidfile", "", "Write the container ID to the file")
	fs.StringVar(&l.runtime, "runtime", "", "Runtime to use for this container")
}

func (l *lifecycleFlags) apply(fs *pflag.FlagSet, spec *Spec) error {
	policy, err := opts.ParseRestartPolicy(l.restart)
	if err != nil {
		return err
	}
	h := spec.HostConfig
	h.RestartPolicy, h.AutoRemove = policy, l.autoRemove
	h.ContainerIDFile, h.Runtime = l.cidFile, l.runtime
	spec.Config.StopSignal = l.stopSignal
	if fs.Changed("stop-timeout") {
		spec.Config.StopTimeout = &l.stopTimeout
	}
	if fs.Changed("init") {
		h.Init = &l.init
	}
	return nil
}
