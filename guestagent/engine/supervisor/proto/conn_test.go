//go:build linux

package proto

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func connPair(t testing.TB) (*Conn, *Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out [2]*Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(20 * time.Second))
		out[i] = NewConn(c.(*net.UnixConn))
		t.Cleanup(func() { c.Close() })
	}
	return out[0], out[1]
}

func TestMessagesWithDescriptors(t *testing.T) {
	a, b := connPair(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	big := strings.Repeat("e", 3<<20)
	go func() {
		a.Send(&Request{Op: OpAttach, ID: big}, int(w.Fd()))
		a.Send(&Request{Op: OpHello})
		w.Close()
	}()
	var req Request
	files, err := b.Recv(&req)
	if err != nil || req.Op != OpAttach || req.ID != big || len(files) != 1 {
		t.Fatalf("op %s, %d descriptors, error %v", req.Op, len(files), err)
	}
	if flags, err := unix.FcntlInt(files[0].Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("a received descriptor would be inherited: %x, %v", flags, err)
	}
	files[0].WriteString("through")
	files[0].Close()
	var second Request
	if files, err := b.Recv(&second); err != nil || second.Op != OpHello || len(files) != 0 {
		t.Errorf("op %s, %d descriptors, error %v", second.Op, len(files), err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "through" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestBadFrames(t *testing.T) {
	for name, tc := range map[string]struct {
		bytes string
		is    error
	}{
		"closed":        {"", io.EOF},
		"half a length": {"\x00\x00", io.ErrUnexpectedEOF},
		"half a body":   {"\x00\x00\x00\x09{}", io.ErrUnexpectedEOF},
		"too long":      {"\x7f\xff\xff\xff", nil},
		"no JSON":       {"\x00\x00\x00\x02}{", nil},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := connPair(t)
			a.Unix().Write([]byte(tc.bytes))
			a.Close()
			var req Request
			_, err := b.Recv(&req)
			if err == nil || tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestTooMuchIsRefusedBeforeItIsSent(t *testing.T) {
	a, _ := connPair(t)
	if err := a.Send(&Request{ID: strings.Repeat("x", MaxFrame)}); err == nil {
		t.Error("a message over the limit was sent")
	}
	if err := a.Send(&Request{}, make([]int, maxFDs+1)...); err == nil {
		t.Error("descriptors over the limit were sent")
	}
}

// Nothing that a peer sends makes the receiver hang or panic, once the peer is gone.
func FuzzRecv(f *testing.F) {
	frame := func(s string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...) }
	f.Add(frame(`{"Op":"hello","Version":1}`))
	f.Add(frame(`{"Op":"start","Start":{"Spec":{"process":{"args":["x"]}}}}`))
	f.Add([]byte{0, 0, 0, 4, '{'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			t.Skip("more than the socket holds")
		}
		x, y := connPair(t)
		x.Unix().Write(b)
		x.Close()
		for {
			var req Request
			if _, err := y.Recv(&req); err != nil {
				return
			}
		}
	})
}
