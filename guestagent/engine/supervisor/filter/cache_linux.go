//go:build cgo && seccomp

package filter

import (
	"crypto/sha256"
	"encoding/json"
	"sync"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// kept is how many programs a Cache holds; a machine uses few profiles.
const kept = 64

// Cache compiles each profile once. Its key is the digest of the whole profile as it was made for a container: what
// depends on capabilities or the kernel is in there already. The zero value is ready; safe for concurrent use.
type Cache struct {
	mu       sync.Mutex
	programs map[[sha256.Size]byte]*entry
}

type entry struct {
	once sync.Once
	prog *Program
	err  error
}

// Get compiles a profile, or gives the program that was compiled before. nil has none.
func (c *Cache) Get(p *specs.LinuxSeccomp) (*Program, error) {
	if p == nil {
		return &Program{}, nil
	}
	b, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	e := c.entry(sha256.Sum256(b))
	e.once.Do(func() { e.prog, e.err = compile(p) })
	return e.prog, e.err
}

func (c *Cache) entry(key [sha256.Size]byte) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.programs[key]; ok {
		return e
	}
	if c.programs == nil || len(c.programs) >= kept {
		c.programs = map[[sha256.Size]byte]*entry{}
	}
	e := &entry{}
	c.programs[key] = e
	return e
}
