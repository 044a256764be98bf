//go:build linux

package keeper

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/hostagent/vm/qemu"
	"github.com/berthhq/berth/hostagent/vm/vmtest/guest"
	"github.com/berthhq/berth/hostagent/vm/vmtest/testvm"
	"github.com/berthhq/berth/internal/paths"
)

// BenchmarkLink measures one machine's streams straight from the device and through a keeper's socket, in turns, so that
// both see the same guest on the same busy computer: medians, and the keeper's over the device's.
//
//	go test -run - -bench Link -benchtime 1x ./hostagent/keeper
func BenchmarkLink(b *testing.B) {
	raw, kept := both(b)
	const rounds = 7
	for _, m := range []struct {
		name    string
		amount  float64 // per round, of unit
		unit    string
		measure func(testing.TB, transport.Dialer)
	}{
		{"to-guest", 64, "MB/s", func(t testing.TB, d transport.Dialer) { toGuest(t, d, 64<<20) }},
		{"from-guest", 64, "MB/s", func(t testing.TB, d transport.Dialer) { fromGuest(t, d, 64<<20) }},
		{"round-trip", 200, "trips/s", func(t testing.TB, d transport.Dialer) { roundTrips(t, d, 200) }},
		{"connect", 100, "conns/s", func(t testing.TB, d transport.Dialer) { connects(t, d, 100) }},
	} {
		b.Run(m.name, func(b *testing.B) {
			for b.Loop() {
				var rates [2][]float64
				for range rounds {
					for i, d := range []transport.Dialer{raw, kept} {
						begin := time.Now()
						m.measure(b, d)
						rates[i] = append(rates[i], m.amount/time.Since(begin).Seconds())
					}
				}
				a, k := median(rates[0]), median(rates[1])
				b.ReportMetric(a, "raw-"+m.unit)
				b.ReportMetric(k, "kept-"+m.unit)
				b.ReportMetric(k/a, "kept/raw")
			}
		})
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// both boots a guest and gives its device, and the same one behind a keeper's server.
func both(b *testing.B) (raw, kept transport.Dialer) {
	d := &qemu.Driver{}
	if _, err := d.Accelerators(runtime.GOARCH); err != nil {
		b.Skip(err)
	}
	c, files := testvm.Make(b, runtime.GOARCH).Config(b, runtime.GOARCH)
	begin := time.Now()
	m, err := d.Start(context.Background(), c, files)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.Close() })
	names := paths.Machine{Name: c.Name, Dir: c.Dir}
	l, err := transport.ListenPrivate(names.KeeperSocket())
	if err != nil {
		b.Fatal(err)
	}
	go newServer(m).serve(l)
	for {
		s, err := m.Dial(context.Background(), guest.Boot)
		if err == nil {
			s.Close()
			break
		}
		if !errors.Is(err, syscall.ECONNREFUSED) || time.Since(begin) > 2*time.Minute {
			b.Fatal(err)
		}
	}
	b.Logf("the guest answers after %.1f s", time.Since(begin).Seconds())
	attached, err := (&Driver{Driver: d}).Attach(context.Background(), vm.Config{Name: c.Name, Dir: c.Dir})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { attached.Close() })
	return m, attached
}

func open(t testing.TB, d transport.Dialer, port uint32) transport.Conn {
	c, err := d.Dial(context.Background(), port)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func toGuest(t testing.TB, d transport.Dialer, n int) {
	c := open(t, d, guest.Count)
	defer c.Close()
	buf := make([]byte, 64<<10)
	for sent := 0; sent < n; sent += len(buf) {
		if _, err := c.Write(buf); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != fmt.Sprintln(n) {
		t.Fatalf("%q, %v", line, err)
	}
}

func fromGuest(t testing.TB, d transport.Dialer, n int64) {
	c := open(t, d, guest.Zeros)
	defer c.Close()
	if _, err := fmt.Fprintln(c, n); err != nil {
		t.Fatal(err)
	}
	if got, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 64<<10)); err != nil || got != n {
		t.Fatalf("%d bytes, %v", got, err)
	}
}

func roundTrips(t testing.TB, d transport.Dialer, n int) {
	c := open(t, d, guest.Echo)
	defer c.Close()
	b := []byte{1}
	for range n {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatal(err)
		}
	}
}

func connects(t testing.TB, d transport.Dialer, n int) {
	for range n {
		open(t, d, guest.Echo).Close()
	}
}
