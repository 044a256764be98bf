//go:build !linux

package watch

import "errors"

// Watcher is there for what needs the type.
type Watcher struct{}

// New says that this host is not watched yet.
func New(Func) (*Watcher, error) { return nil, errors.ErrUnsupported }

// Add fails.
func (w *Watcher) Add(string, uint64, bool) error { return errors.ErrUnsupported }

// Remove does nothing.
func (w *Watcher) Remove(uint64) {}

// Close does nothing.
func (w *Watcher) Close() error { return nil }
