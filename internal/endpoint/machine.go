package endpoint

import (
	"context"
	"fmt"
	"io"

	"github.com/berthhq/berth/internal/machineapi"
	"github.com/berthhq/berth/internal/paths"
)

// startMachine starts a machine's host agent and the machine, and tells each step. A boot takes seconds: without a word
// they would seem a hang.
func startMachine(ctx context.Context, m paths.Machine, notice io.Writer) error {
	if err := StartAgent(ctx, m, notice); err != nil {
		return err
	}
	return bootMachine(ctx, m, notice)
}

// bootMachine asks the host agent that serves a machine to start it.
func bootMachine(ctx context.Context, m paths.Machine, notice io.Writer) error {
	_, err := machineapi.NewClient(m.AgentSocket()).Start(ctx, func(step string) {
		if notice != nil {
			_, _ = fmt.Fprintf(notice, "berth: machine %s: %s\n", m.Name, step)
		}
	})
	return err
}
