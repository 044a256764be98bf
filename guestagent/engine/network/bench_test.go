//go:build linux

package network

import (
	"context"
	"testing"

	apinet "github.com/moby/moby/api/types/network"
)

func benchmarkAttach(b *testing.B, mode string, ports apinet.PortMap) {
	w := newWorld(b, Config{})
	if mode == "lan" {
		w.create(apinet.CreateRequest{Name: mode})
	}
	ctx := context.Background()
	cfg := SandboxConfig{ContainerID: "bench", Name: "bench", Hostname: "bench", Mode: mode, PortBindings: ports}
	for b.Loop() {
		if _, err := w.Attach(ctx, cfg); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := w.Detach(ctx, "bench"); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func BenchmarkAttachBridge(b *testing.B)    { benchmarkAttach(b, "bridge", nil) }
func BenchmarkAttachPublished(b *testing.B) { benchmarkAttach(b, "bridge", bindings("|8080=80/tcp")) }
func BenchmarkAttachUser(b *testing.B)      { benchmarkAttach(b, "lan", nil) }
