//go:build linux

package netd

import (
	"maps"
	"slices"
	"time"

	"github.com/berthhq/berth/guestagent/engine/network/netdproto"
)

// put serves rec instead of what was served under its ID. On an error everything is as before.
func (s *Server) put(rec *netdproto.Sandbox) ([]netdproto.Port, error) {
	if err := rec.Validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.serving[rec.ID]
	if old == nil {
		old = &serving{}
	}
	next := &serving{rec: *rec, dns: old.dns}
	if err := next.bind(old.ports); err != nil {
		return nil, err
	}
	if err := s.serveNames(next, old); err != nil {
		next.closePorts(old.ports)
		return nil, err
	}
	for key, h := range old.ports {
		if next.ports[key] != h {
			h.close()
		}
	}
	for _, p := range next.rec.Ports {
		for _, ip := range p.HostIPs {
			next.ports[portKey{p.Proto, ip, p.HostPort}].setTarget(p.Target(ip))
		}
	}
	s.serving[rec.ID] = next
	s.names.set(next.rec)
	s.save()
	return next.rec.Ports, nil
}

// serveNames starts, keeps or ends the answering of names, as next asks for.
func (s *Server) serveNames(next, old *serving) error {
	if old.dns != nil && next.rec.NetNS == old.rec.NetNS && old.dns.alive() {
		return nil
	}
	next.dns = nil
	if next.rec.NetNS != "" {
		r, err := s.names.listen(next.rec.ID, next.rec.NetNS)
		if err != nil {
			return err
		}
		next.dns = r
	}
	if old.dns != nil {
		old.dns.close()
	}
	return nil
}

func (s *Server) drop(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forget(id) {
		s.save()
	}
}

func (s *Server) keep(ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := false
	for id := range s.serving {
		if !slices.Contains(ids, id) {
			changed = s.forget(id) || changed
		}
	}
	if changed {
		s.save()
	}
}

// forget ends one sandbox; the caller holds mu.
func (s *Server) forget(id string) bool {
	sb := s.serving[id]
	if sb == nil {
		return false
	}
	delete(s.serving, id)
	s.names.remove(id)
	sb.close()
	s.active = time.Now()
	return true
}

func (s *Server) list() []netdproto.Sandbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records()
}

func (s *Server) records() []netdproto.Sandbox {
	out := make([]netdproto.Sandbox, 0, len(s.serving))
	for _, id := range slices.Sorted(maps.Keys(s.serving)) {
		out = append(out, s.serving[id].rec)
	}
	return out
}

func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sb := range s.serving {
		sb.close()
	}
}

func (s *Server) save() { s.saver.save(s.records()) }

// restore serves again what the last netd served. A sandbox that cannot be served any more is left out and told.
func (s *Server) restore() error {
	recs, err := s.saver.load()
	if err != nil {
		return err
	}
	for _, rec := range recs {
		if _, err := s.put(&rec); err != nil {
			s.cfg.Log.Warn("a container's names or ports are not served any more", "container", rec.ID, "err", err)
		}
	}
	return nil
}

func (sb *serving) close() {
	sb.closePorts(nil)
	if sb.dns != nil {
		sb.dns.close()
	}
}
