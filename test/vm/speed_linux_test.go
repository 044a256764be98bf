package vm

import (
	"context"
	"io"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/vm/qemu"
	services "github.com/berthhq/berth/hostagent/vm/vmtest/guest"
	"github.com/berthhq/berth/hostagent/vm/vmtest/testvm"
)

// TestBootBesideABareInit measures, in turns, from the start of QEMU to the handshake and to /_ping, beside the same kernel
// with an /init that loads vsock and answers. Times are of this machine at this moment; the ratios are what counts.
func TestBootBesideABareInit(t *testing.T) {
	if os.Getenv("BERTH_LONG") == "" {
		t.Skip("several boots: BERTH_LONG=1")
	}
	image(t)
	bare := testvm.Make(t, runtime.GOARCH)
	data := newDisk(t, 4<<30)
	var inits, hellos, pings []time.Duration
	for range 3 {
		inits = append(inits, bootBare(t, bare))
		began := time.Now()
		g := boot(t, data)
		g.ready()
		hellos, pings = append(hellos, g.took), append(pings, time.Since(began))
		g.powerOff(t)
		g.stop()
	}
	a, b, c := median(inits), median(hellos), median(pings)
	t.Logf("median of %d: bare /init %s; handshake %s (%.2f); /_ping %s (%.2f); the first /_ping formats the disk: %s",
		len(inits), a, b, b.Seconds()/a.Seconds(), c, c.Seconds()/a.Seconds(), pings[0])
}

func median(d []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(d))[len(d)/2]
}

// bootBare is the time from the start of QEMU to the first answer.
func bootBare(t *testing.T, i testvm.Image) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bootBound)
	defer cancel()
	c, files := i.Config(t, runtime.GOARCH)
	began := time.Now()
	m, err := new(qemu.Driver).Start(ctx, c, files)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for {
		s, err := m.Dial(ctx, services.Bye)
		if err == nil {
			_, err = io.ReadAll(s)
			_ = s.Close()
		}
		if err == nil {
			return time.Since(began)
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
