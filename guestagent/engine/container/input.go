//go:build linux

package container

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/network"
	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	apimount "github.com/moby/moby/api/types/mount"
	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

// initTarget is where berth-init appears in a container with --init, docker's place.
const initTarget = "/sbin/docker-init"

// input puts together what a runtime specification is made from. held keeps open what the specification names; it is
// to be closed when the start is over.
func (s *Service) input(ctx context.Context, r *Record, sb *network.Sandbox, env []string) (in runtime.Input, held subpaths, err error) {
	in = runtime.Input{
		ID: r.ID, Name: r.Name, Hostname: r.Config.Hostname, Domainname: r.Config.Domainname,
		Config: r.Config, Host: r.Host, Image: r.Image.Config,
		Args:       append([]string{r.Path}, r.Args...),
		Env:        slices.Concat(env, r.Config.Env),
		IDs:        s.mapping(r.Host),
		CgroupPath: s.Defaults.Cgroups.Path(r.Host.CgroupParent, r.ID), Systemd: s.Defaults.Cgroups.Systemd(),
		Streams: proto.Streams{
			Terminal: r.Config.Tty, Stdin: r.Config.OpenStdin, StdinOnce: r.Config.StdinOnce,
			Height: uint16(r.Host.ConsoleSize[0]), Width: uint16(r.Host.ConsoleSize[1]),
		},
	}
	if sb != nil {
		in.NetNS = sb.Key
	}
	if in.Log, err = s.logOf(r); err != nil {
		return in, nil, err
	}
	if in.Rootfs, err = s.Images.Mounts(ctx, r.Image, r.ID, s.Layout.Container(r.ID)); err != nil {
		return in, nil, err
	}
	if err := s.joinNamespaces(&in, r); err != nil {
		return in, nil, err
	}
	s.ownFiles(&in, r)
	if err := s.userMounts(&in, r, &held); err != nil {
		held.close()
		return in, nil, err
	}
	if s.wantsInit(r) {
		in.Args = append([]string{initTarget, "--"}, in.Args...)
	}
	return in, held, nil
}

func (s *Service) wantsInit(r *Record) bool {
	if r.Host.Init != nil {
		return *r.Host.Init
	}
	return s.Defaults.Init
}

// ownFiles are the files that berth keeps for a container.
func (s *Service) ownFiles(in *runtime.Input, r *Record) {
	id := r.ID
	if other, ok := netContainer(r.Host.NetworkMode); ok {
		if e, err := s.find(other); err == nil {
			id = e.snapshot().ID // who shares a network shares its names
		}
	}
	for _, f := range [][2]string{
		{s.Layout.ResolvConf(id), "/etc/resolv.conf"}, {s.Layout.Hostname(id), "/etc/hostname"}, {s.Layout.Hosts(id), "/etc/hosts"},
	} {
		if _, err := os.Stat(f[0]); err == nil {
			in.Files = append(in.Files, runtime.Mount{Type: "bind", Source: f[0], Destination: f[1], ReadOnly: r.Host.ReadonlyRootfs})
		}
	}
	if s.wantsInit(r) {
		in.Files = append(in.Files, runtime.Mount{Type: "bind", Source: s.Defaults.InitPath, Destination: initTarget, ReadOnly: true})
	}
}

// userMounts turns the container's mounts into the runtime's.
func (s *Service) userMounts(in *runtime.Input, r *Record, held *subpaths) error {
	for _, m := range r.Mounts {
		out := runtime.Mount{
			Type: "bind", Source: m.Source, Destination: m.Destination, ReadOnly: m.ReadOnly,
			Propagation: string(m.Propagation), NoRecurse: m.NoRecurse, ShallowReadOnly: m.ShallowRO,
		}
		switch m.Type {
		case apimount.TypeTmpfs:
			out = runtime.Mount{Type: "tmpfs", Destination: m.Destination, ReadOnly: m.ReadOnly, Options: m.Options}
		case apimount.TypeVolume:
			if m.Subpath != "" {
				sub, err := held.open(m.Source, m.Subpath)
				if err != nil {
					return err
				}
				out.Source = sub
			}
		case apimount.TypeImage:
			src, err := s.imageSource(&m, held)
			if err != nil {
				return err
			}
			out.Source = src
		case apimount.TypeBind:
			switch {
			case s.ownSocket(&m):
				out.Source = s.Defaults.DockerSocket
			case m.at != "":
				out.Source = m.at
			}
		}
		in.Mounts = append(in.Mounts, out)
	}
	return nil
}

// netContainer is the container whose network is shared.
func netContainer(m container.NetworkMode) (string, bool) {
	return strings.CutPrefix(string(m), "container:")
}

// joinNamespaces fills in the namespaces of other containers.
func (s *Service) joinNamespaces(in *runtime.Input, r *Record) error {
	for _, j := range []struct {
		ref string
		ns  string
		to  *string
	}{
		{refOf(string(r.Host.NetworkMode)), "net", &in.NetNS},
		{refOf(string(r.Host.PidMode)), "pid", &in.PidNS},
		{refOf(string(r.Host.IpcMode)), "ipc", &in.IpcNS},
	} {
		if j.ref == "" {
			continue
		}
		t, err := s.target(r, j.ref, j.ns)
		if err != nil {
			return err
		}
		if j.ns != "net" && !in.IDs.Empty() && refOf(string(r.Host.NetworkMode)) != j.ref {
			// The kernel lets it mount /proc and the queues of its own user namespace only, which is its network's.
			return errdefs.Invalid("cannot share the %s namespace of container %s when user namespaces are enabled, unless its network is shared too", strings.ToUpper(j.ns), t.ID)
		}
		*j.to = fmt.Sprintf("/proc/%d/ns/%s", t.State.Pid, j.ns)
		if j.ns == "net" { // who shares a network answers to its name
			in.Hostname, in.Domainname = t.Config.Hostname, t.Config.Domainname
		}
		if j.ns == "ipc" {
			if !t.Host.IpcMode.IsShareable() {
				return errdefs.Invalid("can't join IPC of container %s: non-shareable IPC (hint: use IpcMode:shareable for the donor container)", t.ID)
			}
			in.ShmPath = s.Layout.Shm(t.ID)
		}
	}
	if r.Host.IpcMode.IsShareable() {
		in.ShmPath = s.Layout.Shm(r.ID)
		return makeShm(in.ShmPath, r.Host.ShmSize, in.IDs)
	}
	return nil
}

func refOf(mode string) string {
	ref, _ := strings.CutPrefix(mode, "container:")
	if ref == mode {
		return ""
	}
	return ref
}

// target is a running container that r is to share a namespace with.
func (s *Service) target(r *Record, ref, ns string) (Record, error) {
	e, err := s.find(ref)
	if err != nil {
		return Record{}, errdefs.Invalid("%w", err)
	}
	t := e.snapshot()
	switch {
	case ns == "net" && t.ID == r.ID:
		return t, errdefs.System("cannot join own network namespace")
	case t.State.running():
		return t, nil
	case ns == "net":
		return t, errdefs.Conflict("cannot join network of a non running container: %s", t.ID)
	}
	return t, errdefs.System("failed to join %s namespace: container %s is not running", strings.ToUpper(ns), t.ID)
}

// makeShm mounts the shared memory that other containers can share.
func makeShm(dir string, size int64, ids user.IdentityMapping) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return errdefs.System("making shared memory: %w", err)
	}
	unix.Unmount(dir, unix.MNT_DETACH) // of an earlier start that was cut short
	opts := fmt.Sprintf("mode=1777,size=%d", size)
	if !ids.Empty() {
		uid, gid := ids.RootPair()
		opts += fmt.Sprintf(",uid=%d,gid=%d", uid, gid)
	}
	if err := unix.Mount("shm", dir, "tmpfs", unix.MS_NOEXEC|unix.MS_NOSUID|unix.MS_NODEV, opts); err != nil {
		return errdefs.System("mounting shared memory: %w", err)
	}
	return nil
}

func (s *Service) dropShm(r *Record) {
	if r.Host.IpcMode.IsShareable() {
		unix.Unmount(s.Layout.Shm(r.ID), unix.MNT_DETACH)
		os.Remove(s.Layout.Shm(r.ID))
	}
}
