//go:build linux

package container

import (
	"context"
	"reflect"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/sys/user"
)

func mappedWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.deps.Defaults.IDs = user.IdentityMapping{
		UIDMaps: []user.IDMap{{ParentID: 100000, Count: 65536}}, GIDMaps: []user.IDMap{{ParentID: 200000, Count: 65536}},
	}
	w.reboot(func() {})
	return w
}

func TestMappedContainersShareNothingOfTheMachine(t *testing.T) {
	w := mappedWorld(t)
	for text, change := range map[string]func(*container.HostConfig){
		"privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode": func(h *container.HostConfig) { h.Privileged = true },
		"cannot share the host's network namespace when user namespaces are enabled":                                                           func(h *container.HostConfig) { h.NetworkMode = "host" },
		"cannot share the host PID namespace when user namespaces are enabled":                                                                 func(h *container.HostConfig) { h.PidMode = "host" },
	} {
		_, err := w.ContainerCreate(context.Background(), "", nil, request(func(r *container.CreateRequest) { change(r.HostConfig) }))
		wantKind(t, err, errdefs.KindInvalid, text)
		w.create("", func(r *container.CreateRequest) { change(r.HostConfig); r.HostConfig.UsernsMode = "host" })
	}
}

func TestMappingReachesRuntimeAndNetwork(t *testing.T) {
	w := mappedWorld(t)
	for mode, want := range map[container.UsernsMode]user.IdentityMapping{"": w.deps.Defaults.IDs, "host": {}} {
		r := w.record(w.create("", func(r *container.CreateRequest) { r.HostConfig.UsernsMode = mode }))
		if got := w.sandboxConfig(context.Background(), &r, nil).IDs; !reflect.DeepEqual(got, want) {
			t.Errorf("mode %q: the network has %+v", mode, got)
		}
		in, held, err := w.input(context.Background(), &r, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		held.close()
		if !reflect.DeepEqual(in.IDs, want) {
			t.Errorf("mode %q: the runtime has %+v", mode, in.IDs)
		}
	}
}

func TestMappedContainerSharesOnlyWithItsOwnNetwork(t *testing.T) {
	w := mappedWorld(t)
	w.run("other")
	for _, c := range []struct {
		net, pid string
		ok       bool
	}{{"bridge", "container:other", false}, {"container:other", "container:other", true}, {"container:other", "", true}} {
		r := w.record(w.create("", func(r *container.CreateRequest) {
			r.HostConfig.NetworkMode, r.HostConfig.PidMode = container.NetworkMode(c.net), container.PidMode(c.pid)
		}))
		_, held, err := w.input(context.Background(), &r, nil, nil)
		held.close()
		if c.ok != (err == nil) {
			t.Errorf("network %s, pid %s: %v", c.net, c.pid, err)
		}
	}
}
