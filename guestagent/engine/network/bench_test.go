//go:build linux

package network

import (
	"context"
	"slices"
	"testing"
	"time"

	apinet "github.com/moby/moby/api/types/network"
)

func benchmarkAttach(b *testing.B, mode string, ports apinet.PortMap) {
	w := newWorld(b, Config{})
	if mode == "lan" {
		w.create(apinet.CreateRequest{Name: mode})
	}
	ctx := context.Background()
	if err := w.Reconcile(ctx, nil); err != nil {
		b.Fatal(err)
	}
	cfg := SandboxConfig{ContainerID: "bench", Name: "bench", Hostname: "bench", Mode: mode, PortBindings: ports}
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		time.Sleep(3 * poolRest) // the pool fills
		b.StartTimer()
		start := time.Now()
		if _, err := w.Attach(ctx, cfg); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
		b.StopTimer()
		if err := w.Detach(ctx, "bench"); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[0].Microseconds()), "µs/min")
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs/median")
}

func BenchmarkAttachBridge(b *testing.B)    { benchmarkAttach(b, "bridge", nil) }
func BenchmarkAttachPublished(b *testing.B) { benchmarkAttach(b, "bridge", bindings("|8080=80/tcp")) }
func BenchmarkAttachUser(b *testing.B)      { benchmarkAttach(b, "lan", nil) }
