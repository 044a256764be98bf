package main

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/paths"
	systemd "github.com/coreos/go-systemd/v22/dbus"
)

// stateTimeout bounds the question to systemd.
const stateTimeout = 3 * time.Second

// shutsDown tells the machine's shutdown from a stop of the engine alone, beneath which containers go on: systemd's
// state is "stopping" from when shutdown.target is asked for. Where that cannot be learnt it is a stop of the engine.
func shutsDown(state func(context.Context) (string, error)) bool {
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	s, err := state(ctx)
	return err == nil && s == "stopping"
}

// systemState asks systemd on its own socket: the bus may be gone already. Without systemd it is "", or "stopping" where
// berth's virtual machine says so.
func systemState(ctx context.Context) (string, error) {
	if _, err := os.Stat(paths.ShutdownMark); err == nil {
		return "stopping", nil
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil { // sd_booted(3)
		return "", nil
	}
	c, err := systemd.NewSystemdConnectionContext(ctx)
	if err != nil {
		return "", err
	}
	defer c.Close()
	p, err := c.SystemStateContext(ctx)
	if err != nil {
		return "", err
	}
	s, _ := p.Value.Value().(string)
	return strings.Trim(s, `"`), nil
}
