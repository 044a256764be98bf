package vnet_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/vnet"
	"github.com/berthhq/berth/internal/agentapi"
)

// nowhere makes no connections: a fuzzer's frames must not leave it.
type nowhere struct{}

func (nowhere) DialContext(context.Context, string, string) (net.Conn, error) {
	return nil, &net.DNSError{Err: "nowhere"}
}

// FuzzFrame lets a hostile guest send any frame: nothing may fall over, and the guest's own connections go on.
func FuzzFrame(f *testing.F) {
	to, _ := net.ParseMAC(agentapi.NetworkHostMAC)
	from, _ := net.ParseMAC(agentapi.NetworkGuestMAC)
	head := append(append(make([]byte, agentapi.NetHeader), to...), from...)
	frame := func(kind uint16, body ...byte) []byte {
		return append(append(append([]byte{}, head...), byte(kind>>8), byte(kind)), body...)
	}
	f.Add(frame(0x0800, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 192, 168, 65, 3, 192, 0, 2, 1, 4, 0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 1, 0, 0, 0, 0, 0))
	f.Add(frame(0x0800, 0x4f, 0, 0, 20, 0, 0, 0x20, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1))
	f.Add(frame(0x0806, 0, 1, 8, 0, 6, 4, 0, 1))
	f.Add(frame(0x86dd, 0x60, 0, 0, 0, 0, 8, 0, 64))
	f.Add(frame(0x86dd))
	g := connected(f, vnet.Options{Dial: nowhere{}, Resolve: answers{}})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < agentapi.NetHeader+14 || len(raw) > agentapi.MaxNetFrame {
			return
		}
		g.raw(t, raw)
	})
	conn, err := g.tcp(agentapi.NetworkGateway4, 53)
	if err != nil {
		f.Fatalf("after what a hostile guest sent: %v", err)
	}
	_ = conn.SetDeadline(time.Now())
	conn.Close()
}
