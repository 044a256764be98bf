//go:build linux

package container

import (
	"context"
	"slices"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/storage"
)

// zeroTime is how docker writes a time that has not come.
const zeroTime = "0001-01-01T00:00:00Z"

// ContainerInspect tells everything of a container.
func (s *Service) ContainerInspect(ctx context.Context, ref string, size bool) (*container.InspectResponse, error) {
	e, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	if _, err := e.until(ctx, func() bool { return !e.again || e.rec.State.running() }); err != nil {
		return nil, err
	}
	r := e.snapshot()
	nets, ports := s.networksOf(&r)
	out := &container.InspectResponse{
		ID: r.ID, Created: r.Created.Format(time.RFC3339Nano), Path: r.Path, Args: r.Args, State: inspectState(&r),
		Image: r.Image.ID, ResolvConfPath: s.Layout.ResolvConf(r.ID), HostnamePath: s.Layout.Hostname(r.ID),
		HostsPath: s.Layout.Hosts(r.ID), Name: "/" + r.Name, RestartCount: r.Restarts, Driver: s.Defaults.StorageDriver, Platform: "linux",
		ExecIDs: s.execIDs(e), HostConfig: s.shownHost(&r), Mounts: mountPoints(&r), Config: r.Config,
		NetworkSettings:         &container.NetworkSettings{Ports: ports, Networks: nets},
		ImageManifestDescriptor: &r.Image.Manifest,
		Storage:                 &storage.Storage{RootFS: &storage.RootFSStorage{Snapshot: &storage.RootFSStorageSnapshot{Name: s.Defaults.StorageDriver}}},
	}
	if r.Host.LogConfig.Type == logJSON {
		out.LogPath = s.Layout.ContainerLog(r.ID)
	}
	if r.State.running() {
		if sb, err := s.Networks.Sandbox(r.ID); err == nil {
			out.NetworkSettings.SandboxKey, out.NetworkSettings.SandboxID = sb.Key, r.ID
		}
	}
	if size {
		rw, root, err := s.Images.Usage(ctx, r.ID, s.Layout.Container(r.ID))
		if err != nil {
			return nil, errdefs.System("measuring container %s: %w", r.Name, err)
		}
		out.SizeRw, out.SizeRootFs = &rw, &root
	}
	return out, nil
}

// shownHost is a container's configuration with its legacy links as they are: "/target:/container/alias".
func (s *Service) shownHost(r *Record) *container.HostConfig {
	h := *r.Host
	h.Links = nil
	if !r.legacy() {
		return &h
	}
	for alias, id := range r.Links {
		if target, err := s.find(id); err == nil {
			h.Links = append(h.Links, "/"+target.snapshot().Name+":/"+r.Name+"/"+alias)
		}
	}
	slices.Sort(h.Links)
	return &h
}

func inspectState(r *Record) *container.State {
	st := &r.State
	format := func(t time.Time) string {
		if t.IsZero() {
			return zeroTime
		}
		return t.Format(time.RFC3339Nano)
	}
	return &container.State{
		Status: st.Status, Running: st.running() || st.Status == container.StateRestarting, Paused: st.Status == container.StatePaused,
		Restarting: st.Status == container.StateRestarting, OOMKilled: st.OOMKilled, Dead: st.Status == container.StateDead,
		Pid: st.Pid, ExitCode: st.ExitCode, Error: st.Error, StartedAt: format(st.StartedAt), FinishedAt: format(st.FinishedAt),
		Health: st.Health,
	}
}

// execIDs are the processes exec'd in a container that run; nil, which is null, where there are none.
func (s *Service) execIDs(e *entry) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for id, x := range s.execs {
		if x.container == e && x.running {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}
