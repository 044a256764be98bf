// Package runflags reads the flags that docker's run and create share and turns them into what the API takes. Each
// group of flags has a file and a type of its own. It must not talk to an engine or print.
package runflags

import (
	"fmt"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/spf13/pflag"
)

// Flags are all groups, as the command line gave them.
type Flags struct {
	process   processFlags
	labels    labelFlags
	security  securityFlags
	ns        namespaceFlags
	net       networkFlags
	ports     portFlags
	dns       dnsFlags
	mounts    mountFlags
	storage   storageFlags
	health    healthFlags
	cpu       cpuFlags
	memory    memoryFlags
	blockIO   blockIOFlags
	devices   deviceFlags
	lifecycle lifecycleFlags
}

// Spec is what a container is created from.
type Spec struct {
	Config           *container.Config
	HostConfig       *container.HostConfig
	NetworkingConfig *network.NetworkingConfig
}

// group is one set of flags: add declares them, apply checks what was given and writes it into the spec.
type group interface {
	add(fs *pflag.FlagSet)
	apply(fs *pflag.FlagSet, spec *Spec) error
}

func (f *Flags) groups() []group {
	return []group{
		&f.process, &f.labels, &f.security, &f.ns, &f.net, &f.ports, &f.dns, &f.mounts,
		&f.storage, &f.health, &f.cpu, &f.memory, &f.blockIO, &f.devices, &f.lifecycle,
	}
}

// Add declares all flags on the set.
func Add(fs *pflag.FlagSet) *Flags {
	f := &Flags{}
	for _, g := range f.groups() {
		g.add(fs)
	}
	return f
}

// Env is what -e gave, for the proxies of docker's configuration file to be laid under.
func (f *Flags) Env() []string { return f.process.env.GetSlice() }

// SetEnv replaces what -e gave.
func (f *Flags) SetEnv(env []string) { f.process.setEnv(env) }

// AttachCount says how many streams -a named.
func (f *Flags) AttachCount() int { return f.process.attach.Len() }

// AutoRemove is --rm.
func (f *Flags) AutoRemove() bool { return f.lifecycle.autoRemove }

// Spec checks all flags together and makes the description of the container.
func (f *Flags) Spec(fs *pflag.FlagSet, image string, args []string) (*Spec, error) {
	spec := &Spec{
		Config:           &container.Config{Image: image},
		HostConfig:       &container.HostConfig{},
		NetworkingConfig: &network.NetworkingConfig{},
	}
	if len(args) > 0 {
		spec.Config.Cmd = args
	}
	for _, g := range f.groups() {
		if err := g.apply(fs, spec); err != nil {
			return nil, err
		}
	}
	if f.lifecycle.autoRemove && !spec.HostConfig.RestartPolicy.IsNone() {
		return nil, fmt.Errorf("conflicting options: cannot specify both --restart and --rm")
	}
	return spec, nil
}

// keyValues splits "k=v" options into a map.
func keyValues(list []string, bad string) (map[string]string, error) {
	m := make(map[string]string, len(list))
	for _, o := range list {
		k, v, ok := strings.Cut(o, "=")
		if !ok {
			return nil, fmt.Errorf("%s", bad)
		}
		m[k] = v
	}
	return m, nil
}
