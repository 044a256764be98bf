//go:build linux

package container

import (
	"regexp"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
)

// find gets a container by its ID, its name, the name that a legacy link gives it ("container/alias") or an unambiguous
// beginning of its ID, in this order. Errors: NotFound, Invalid where more than one ID begins so.
func (s *Service) find(ref string) (*entry, error) {
	if ref == "" {
		return nil, errdefs.Invalid("Container name cannot be empty")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byID[ref]; e != nil {
		return e, nil
	}
	if e := s.byName[strings.TrimPrefix(ref, "/")]; e != nil {
		return e, nil
	}
	if e := s.linkedAs(strings.TrimPrefix(ref, "/")); e != nil {
		return e, nil
	}
	var found *entry
	for id, e := range s.byID {
		if !strings.HasPrefix(id, ref) {
			continue
		}
		if found != nil {
			return nil, errdefs.Invalid("multiple IDs found with provided prefix: %s", ref)
		}
		found = e
	}
	if found == nil {
		return nil, errdefs.NotFound("No such container: %s", ref)
	}
	return found, nil
}

// linkedAs follows a legacy link. The caller holds mu.
func (s *Service) linkedAs(ref string) *entry {
	parent, alias, ok := strings.Cut(ref, "/")
	if !ok || s.byName[parent] == nil {
		return nil
	}
	r := s.byName[parent].snapshot()
	if !r.legacy() {
		return nil
	}
	return s.byID[r.Links[alias]]
}

// ID gives the whole ID of what a client named.
func (s *Service) ID(ref string) (string, error) {
	e, err := s.find(ref)
	if err != nil {
		return "", err
	}
	return e.snapshot().ID, nil
}

// validName is docker's rule for names (moby's RestrictedNamePattern).
var validName = regexp.MustCompile(`^/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

func checkName(name string) error {
	if !validName.MatchString(name) {
		return errdefs.Invalid("Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name)
	}
	return nil
}

// claim enters a new container under a name, or under one of our own choice, as one step.
func (s *Service) claim(e *entry, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name == "" {
		for i := 0; ; i++ {
			if name = s.names.pick(i); s.byName[name] == nil {
				break
			}
		}
	}
	if other := s.byName[name]; other != nil {
		return taken(name, other.rec.ID)
	}
	e.rec.Name = name
	s.byID[e.rec.ID], s.byName[name] = e, e
	return nil
}

func taken(name, id string) error {
	return errdefs.Conflict("Conflict. The container name %q is already in use by container %q. You have to remove (or rename) that container to be able to reuse that name.", "/"+name, id)
}

// drop takes a container out of the index: its name is free from then on.
func (s *Service) drop(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[e.rec.ID] == e {
		delete(s.byID, e.rec.ID)
	}
	if s.byName[e.rec.Name] == e {
		delete(s.byName, e.rec.Name)
	}
	for id, x := range s.execs {
		if x.container == e {
			delete(s.execs, id)
		}
	}
}
