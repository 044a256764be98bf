//go:build linux

package image

import "sync"

// cache keeps what references resolved to until any image changes. A change while a lookup is under way keeps the
// lookup's answer out: it may be from before.
type cache struct {
	mu   sync.RWMutex
	gen  uint64
	byID map[string]*Image
}

func newCache() *cache { return &cache{byID: map[string]*Image{}} }

// get returns a copy, so that callers may change what they got, and the generation to put an answer under.
func (c *cache) get(key string) (*Image, uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	img, ok := c.byID[key]
	if !ok {
		return nil, c.gen
	}
	dup := *img
	return &dup, c.gen
}

func (c *cache) put(key string, gen uint64, img *Image) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if gen != c.gen || len(c.byID) > 1000 {
		return
	}
	dup := *img
	c.byID[key] = &dup
}

// drop forgets everything; called after each change of an image's name or content.
func (c *cache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gen++
	clear(c.byID)
}
