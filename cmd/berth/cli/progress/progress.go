// Package progress shows what the engine tells while it pulls or pushes: bars that move on a terminal, plain lines
// elsewhere. It must not start anything.
package progress

import (
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/docker/cli/cli/streams"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client/pkg/jsonmessage"
)

// Source is a pull or a push under way.
type Source interface {
	io.Closer
	JSONMessages(ctx context.Context) iter.Seq2[jsonstream.Message, error]
}

// Show prints the messages of src until it ends. The error that the engine reports among them is returned.
func Show(ctx context.Context, src Source, out *streams.Out) error {
	defer func() { _ = src.Close() }()
	if out.IsTerminal() {
		return jsonmessage.DisplayMessages(src.JSONMessages(ctx), out)
	}
	return Plain(src.JSONMessages(ctx), out)
}

// Plain prints one line a change of state, without the counting in between.
func Plain(messages iter.Seq2[jsonstream.Message, error], out io.Writer) error {
	last := map[string]string{}
	for m, err := range messages {
		if err != nil {
			return err
		}
		if m.Error != nil {
			return m.Error
		}
		if m.Stream != "" {
			if _, err := io.WriteString(out, m.Stream); err != nil {
				return err
			}
			continue
		}
		if m.Status == "" || m.ID != "" && last[m.ID] == m.Status {
			continue
		}
		last[m.ID] = m.Status
		line := m.Status
		if m.ID != "" {
			line = m.ID + ": " + line
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}

// Drain waits for the end without printing.
func Drain(ctx context.Context, src Source) error {
	defer func() { _ = src.Close() }()
	return Plain(src.JSONMessages(ctx), io.Discard)
}
