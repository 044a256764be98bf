//go:build linux

package container

import (
	"slices"
	"testing"
)

// Who watches events learns of a resize, of a container without a terminal too.
func TestResizingIsToldOf(t *testing.T) {
	w := newWorld(t)
	w.run("web")
	if err := w.ContainerResize(t.Context(), "web", 80, 24); err != nil {
		t.Fatal(err)
	}
	if got := w.bus.actions(); !slices.Contains(got, "resize") {
		t.Errorf("told of %v", got)
	}
	w.Tell("web", "archive-path", "/etc")
	if got := w.bus.actions(); !slices.Contains(got, "archive-path") {
		t.Errorf("told of %v", got)
	}
}
