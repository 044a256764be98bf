package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/docker/cli/cli/command/formatter"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

// redrawn is how often the table is drawn anew, docker's time.
const redrawn = 500 * time.Millisecond

type statsOptions struct {
	all, noStream, noTrunc bool
	format                 string
}

func newStats(s *session.Session) *cobra.Command {
	var o statsOptions
	c := &cobra.Command{Use: "stats [OPTIONS] [CONTAINER...]", Short: "Display a live stream of container(s) resource usage statistics", ValidArgsFunction: complete(s, false)}
	c.RunE = func(c *cobra.Command, args []string) error { return runStats(c.Context(), s, &o, args) }
	f := c.Flags()
	f.BoolVarP(&o.all, "all", "a", false, "Show all containers (default shows just running)")
	f.BoolVar(&o.noStream, "no-stream", false, "Disable streaming stats and only pull the first result")
	f.BoolVar(&o.noTrunc, "no-trunc", false, "Do not truncate output")
	f.StringVar(&o.format, "format", "", "Format output using a custom template: table, table TEMPLATE, json, TEMPLATE")
	return c
}

// statsScreen is the table of samples, and the goroutines that follow containers for it.
type statsScreen struct {
	s       *session.Session
	cl      *client.Client
	o       *statsOptions
	named   []string // none: every container
	mu      sync.Mutex
	order   []string
	samples map[string]*statsSample // by what the container is asked for
}

func runStats(ctx context.Context, s *session.Session, o *statsOptions, named []string) error {
	cl, err := s.Client()
	if err != nil {
		return err
	}
	for _, n := range named {
		if _, err := cl.ContainerInspect(ctx, n, client.ContainerInspectOptions{}); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v := &statsScreen{s: s, cl: cl, o: o, named: named, samples: map[string]*statsSample{}}
	if o.noStream {
		return v.once(ctx)
	}
	tick := time.NewTicker(redrawn)
	defer tick.Stop()
	for first := true; ; first = false {
		if err := v.look(ctx, first); err != nil {
			return err
		}
		if err := v.draw(); err != nil {
			return err
		}
		if len(named) > 0 && v.followed() == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// targets are the containers that are shown now.
func (v *statsScreen) targets(ctx context.Context) ([]string, error) {
	if len(v.named) > 0 {
		return v.named, nil
	}
	list, err := v.cl.ContainerList(ctx, client.ContainerListOptions{All: v.o.all})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, c := range list.Items {
		ids = append(ids, c.ID)
	}
	return ids, nil
}

// once takes one sample of each.
func (v *statsScreen) once(ctx context.Context) error {
	ids, err := v.targets(ctx)
	if err != nil {
		return err
	}
	errs := make([]error, len(ids))
	var wait sync.WaitGroup
	for i, id := range ids {
		v.add(id)
		wait.Go(func() { errs[i] = v.read(ctx, id, client.ContainerStatsOptions{IncludePreviousSample: true}) })
	}
	wait.Wait()
	return errors.Join(errors.Join(errs...), v.draw())
}

// look begins to follow new containers and forgets those that are no more.
func (v *statsScreen) look(ctx context.Context, first bool) error {
	if len(v.named) > 0 && !first {
		return nil
	}
	ids, err := v.targets(ctx)
	if err != nil {
		return err
	}
	now := map[string]bool{}
	for _, id := range ids {
		now[id] = true
		if !v.add(id) {
			continue
		}
		go func() {
			v.read(ctx, id, client.ContainerStatsOptions{Stream: true})
			v.drop(id)
		}()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.order = ids
	for id := range v.samples {
		if !now[id] {
			delete(v.samples, id)
		}
	}
	return nil
}

func (v *statsScreen) add(id string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.samples[id] != nil {
		return false
	}
	v.samples[id] = &statsSample{asked: id}
	v.order = append(v.order, id)
	return true
}

func (v *statsScreen) drop(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.samples, id)
}

func (v *statsScreen) followed() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.samples)
}

// read takes samples of one container until its stream ends.
func (v *statsScreen) read(ctx context.Context, id string, o client.ContainerStatsOptions) error {
	r, err := v.cl.ContainerStats(ctx, id, o)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	for d := json.NewDecoder(r.Body); ; {
		st := &container.StatsResponse{}
		switch err := d.Decode(st); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		v.mu.Lock()
		if v.samples[id] != nil {
			v.samples[id] = &statsSample{asked: id, st: st}
		}
		v.mu.Unlock()
	}
}

// draw writes the table; on a terminal over the one before.
func (v *statsScreen) draw() error {
	v.mu.Lock()
	var rows []*statsSample
	for _, id := range v.order {
		if r := v.samples[id]; r != nil {
			rows = append(rows, r)
		}
	}
	v.mu.Unlock()
	var b strings.Builder
	if err := writeStats(&b, rows, v.o.format, !v.o.noTrunc); err != nil {
		return err
	}
	text := b.String()
	if _, terminal := v.s.OutTerminal(); terminal && !v.o.noStream {
		// Home; each line and what is below it cleared of what stood there.
		text = "\x1b[H" + strings.ReplaceAll(text, "\n", "\x1b[K\n") + "\x1b[J"
	}
	_, err := fmt.Fprint(v.s.Out, text)
	return err
}

func writeStats(w io.Writer, rows []*statsSample, format string, trunc bool) error {
	if format == "" || format == formatter.TableFormatKey {
		format = statsTable
	}
	head := &statsSample{}
	head.Header = formatter.SubHeaderContext{
		"Container": "CONTAINER", "Name": formatter.NameHeader, "ID": formatter.ContainerIDHeader, "CPUPerc": "CPU %", "MemUsage": "MEM USAGE / LIMIT",
		"MemPerc": "MEM %", "NetIO": "NET I/O", "BlockIO": "BLOCK I/O", "PIDs": "PIDS",
	}
	ctx := formatter.Context{Output: w, Format: formatter.Format(format), Trunc: trunc}
	return ctx.Write(head, func(one func(formatter.SubContext) error) error {
		for _, r := range rows {
			r := *r
			r.trunc = trunc
			if err := one(&r); err != nil {
				return err
			}
		}
		return nil
	})
}
