//go:build linux

package network

import (
	"context"

	"github.com/berthhq/berth/guestagent/engine/meta"
	"github.com/berthhq/berth/internal/paths"
)

// Open brings an engine's networks up: bridges, forwarding, packet rules, and what is recorded of running containers.
// Call Reconcile before anything is attached, and Close at the end; networks and containers go on after it. bus may be
// nil. Errors: Invalid for a configuration that makes no sense.
func Open(ctx context.Context, layout paths.Layout, db *meta.DB, bus Publisher, cfg Config) (*Manager, error) {
	return open(ctx, layout, cfg, meta.NewStore[networkRecord](db, "networks"), meta.NewVolatile[sandboxRecord](db, "sandboxes"), bus)
}
