//go:build linux

package container

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// ListOptions are the parameters of a list.
type ListOptions struct {
	All     bool
	Size    bool
	Limit   int // the newest n, running or not; 0 or less is no limit
	Filters map[string]map[string]bool
}

// ContainerList lists containers, the newest first.
func (s *Service) ContainerList(ctx context.Context, o ListOptions) ([]container.Summary, error) {
	f, err := s.newListFilter(o.Filters, func(ref string) string {
		if img, err := s.Images.Resolve(ctx, ref, nil); err == nil {
			return img.ID
		}
		return ""
	})
	if err != nil {
		return nil, err
	}
	all := o.All || o.Limit > 0 || len(o.Filters["status"]) > 0
	var list []Record
	for _, e := range s.entries() {
		if r := e.snapshot(); all || r.State.running() || r.State.Status == container.StateRestarting {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b Record) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.Name, b.Name))
	})
	out := []container.Summary{}
	for i := range list {
		r := &list[i]
		nets, ports := s.networksOf(r)
		if !f.keeps(r, nets, ports) {
			continue
		}
		sum, err := s.summary(ctx, r, nets, ports, o.Size)
		if err != nil {
			return nil, err
		}
		if out = append(out, sum); o.Limit > 0 && len(out) == o.Limit {
			break
		}
	}
	return out, nil
}

func (s *Service) summary(ctx context.Context, r *Record, nets map[string]*network.EndpointSettings, ports network.PortMap, size bool) (container.Summary, error) {
	sum := container.Summary{
		ID: r.ID, Names: s.allNames(r), Image: s.shownImage(ctx, r), ImageID: r.Image.ID,
		Command: commandLine(r), Created: r.Created.Unix(), Ports: portSummaries(ports), Labels: r.Config.Labels,
		State: r.State.Status, Status: statusText(&r.State, time.Now()),
		NetworkSettings: &container.NetworkSettingsSummary{Networks: listed(nets)}, Mounts: mountPoints(r),
		ImageManifestDescriptor: &r.Image.Manifest,
	}
	sum.HostConfig.NetworkMode = string(r.Host.NetworkMode)
	sum.HostConfig.Annotations = r.Host.Annotations
	sum.Health = &container.HealthSummary{Status: healthOf(r)}
	if h := r.State.Health; h != nil {
		sum.Health.FailingStreak = h.FailingStreak
	}
	if size {
		var err error
		if sum.SizeRw, sum.SizeRootFs, err = s.Images.Usage(ctx, r.ID, s.Layout.Container(r.ID)); err != nil {
			return sum, errdefs.System("measuring container %s: %w", r.Name, err)
		}
	}
	return sum, nil
}

// shownImage is what the container was made from in its maker's words, as long as these mean that image; its ID after.
func (s *Service) shownImage(ctx context.Context, r *Record) string {
	if now, err := s.Images.Resolve(ctx, r.Config.Image, nil); err != nil || now.ID != r.Image.ID {
		return r.Image.ID
	}
	return r.Config.Image
}

// allNames are the container's name and those that legacy links give it, sorted as dockerd's.
func (s *Service) allNames(r *Record) []string {
	out := []string{"/" + r.Name}
	for _, e := range s.entries() {
		other := e.snapshot()
		for alias, id := range other.Links {
			if id == r.ID && other.legacy() {
				out = append(out, "/"+other.Name+"/"+alias)
			}
		}
	}
	slices.Sort(out)
	return out
}

func commandLine(r *Record) string {
	parts := []string{r.Path}
	for _, a := range r.Args {
		if strings.Contains(a, " ") {
			a = "'" + a + "'"
		}
		parts = append(parts, a)
	}
	return strings.Join(parts, " ")
}

// networksOf gives a container's networks as they stand, or as they were asked for, and its ports.
func (s *Service) networksOf(r *Record) (map[string]*network.EndpointSettings, network.PortMap) {
	if r.State.running() {
		if sb, err := s.Networks.Sandbox(r.ID); err == nil {
			return sb.Endpoints, sb.Ports
		}
	}
	nets := maps.Clone(r.Networks)
	if nets == nil {
		nets = map[string]*network.EndpointSettings{}
	}
	if r.Config.NetworkDisabled {
		return map[string]*network.EndpointSettings{}, network.PortMap{}
	}
	mode := r.Host.NetworkMode
	if _, shared := netContainer(mode); !shared && mode != "" && nets[string(mode)] == nil && (len(nets) == 0 || mode != network.NetworkBridge) {
		nets[string(mode)] = &network.EndpointSettings{}
	}
	if !r.State.StartedAt.IsZero() { // it was there once: Compose looks whether it still belongs there
		for name, ep := range nets {
			was := network.EndpointSettings{}
			if ep != nil {
				was = *ep
			}
			was.NetworkID = s.Networks.NetworkID(name)
			nets[name] = &was
		}
	}
	return nets, network.PortMap{}
}

// listed are endpoints as a list tells of them: without names, links and options of drivers, as dockerd's.
func listed(nets map[string]*network.EndpointSettings) map[string]*network.EndpointSettings {
	out := map[string]*network.EndpointSettings{}
	for name, ep := range nets {
		e := *ep
		e.Links, e.Aliases, e.DNSNames, e.DriverOpts = nil, nil, nil, nil
		if c := e.IPAMConfig; c != nil {
			e.IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: c.IPv4Address, IPv6Address: c.IPv6Address}
		}
		out[name] = &e
	}
	return out
}

// portSummaries lists ports as docker ps does: one entry for each address, exposed ones without one.
func portSummaries(ports network.PortMap) []container.PortSummary {
	out := []container.PortSummary{}
	for p, bindings := range ports {
		if len(bindings) == 0 {
			out = append(out, container.PortSummary{PrivatePort: p.Num(), Type: string(p.Proto())})
		}
		for _, b := range bindings {
			n, err := strconv.ParseUint(b.HostPort, 10, 16)
			if err != nil {
				continue
			}
			out = append(out, container.PortSummary{PrivatePort: p.Num(), PublicPort: uint16(n), Type: string(p.Proto()), IP: b.HostIP})
		}
	}
	slices.SortFunc(out, func(a, b container.PortSummary) int {
		return cmp.Or(cmp.Compare(a.PrivatePort, b.PrivatePort), a.IP.Compare(b.IP), cmp.Compare(a.PublicPort, b.PublicPort), strings.Compare(a.Type, b.Type))
	})
	return out
}

func mountPoints(r *Record) []container.MountPoint {
	out := []container.MountPoint{}
	for _, m := range r.Mounts {
		if m.Type == "tmpfs" && m.OfTmpfs {
			continue // as docker: --tmpfs is told of in HostConfig alone
		}
		p := container.MountPoint{
			Type: m.Type, Name: m.Name, Source: m.Source, Destination: m.Destination, Driver: m.Driver, Mode: m.Mode,
			RW: !m.ReadOnly, Propagation: m.Propagation,
		}
		if m.Type == "bind" && p.Propagation == "" {
			p.Propagation = "rprivate"
		}
		if m.Type == "volume" && p.Mode == "" {
			p.Mode = "z"
		}
		out = append(out, p)
	}
	return out
}
