package dockerproxy_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/dockerproxy"
	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/internal/agentapi"
	"github.com/berthhq/berth/internal/errdefs"
)

// engine stands for the guest's end: every stream goes to serve.
type engine struct{ serve func(*net.TCPConn) }

func (e engine) Dial(ctx context.Context, port uint32) (transport.Conn, error) {
	if port != agentapi.PortDocker {
		return nil, errors.New("not the engine's port")
	}
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	here, err := net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		return nil, err
	}
	there, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	go e.serve(there)
	return here, nil
}

// serve runs a proxy as long as the test and gives a way to connect to it.
func serve(t *testing.T, p *dockerproxy.Proxy) func() *net.UnixConn {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := p.Serve(ctx, l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	return func() *net.UnixConn {
		c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		return c
	}
}

func to(e engine) func(context.Context) (transport.Dialer, error) {
	return func(context.Context) (transport.Dialer, error) { return e, nil }
}

func TestEachHalfEndsByItself(t *testing.T) {
	dial := serve(t, &dockerproxy.Proxy{Guest: to(engine{func(c *net.TCPConn) {
		defer c.Close()
		b, _ := io.ReadAll(c) // to the client's end
		_, _ = c.Write([]byte("got " + string(b)))
	}})})
	c := dial()
	if _, err := c.Write([]byte("all of it")); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || string(b) != "got all of it" {
		t.Errorf("%q, %v", b, err)
	}
	// And the other way round: the engine ends its half first and still reads.
	got := make(chan string, 1)
	dial = serve(t, &dockerproxy.Proxy{Guest: to(engine{func(c *net.TCPConn) {
		defer c.Close()
		_ = c.CloseWrite()
		b, _ := io.ReadAll(c)
		got <- string(b)
	}})})
	c = dial()
	if b, err := io.ReadAll(c); err != nil || len(b) > 0 {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := c.Write([]byte("later")); err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWrite()
	if b := <-got; b != "later" {
		t.Errorf("the engine got %q", b)
	}
}

func TestACutStreamDoesNotLookFinished(t *testing.T) {
	dial := serve(t, &dockerproxy.Proxy{Guest: to(engine{func(c *net.TCPConn) {
		_, _ = c.Write([]byte("half of"))
		time.Sleep(50 * time.Millisecond)
		_ = c.SetLinger(0)
		c.Close()
	}})})
	c := dial()
	_, _ = io.ReadAll(c) // a unix socket has no reset; but its own writes must fail
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	for {
		if _, err := c.Write([]byte("x")); err != nil {
			if errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "timeout") {
				t.Errorf("the client may write for ever: %v", err)
			}
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAClientIsToldWhyThereIsNoEngine(t *testing.T) {
	dial := serve(t, &dockerproxy.Proxy{Guest: func(context.Context) (transport.Dialer, error) {
		return nil, errdefs.Unavailable("machine default is broken").WithHint("berth machine doctor")
	}})
	c := dial()
	// A body that is never read to its end: the answer arrives all the same.
	req, err := http.NewRequest(http.MethodPost, "http://engine/build", strings.NewReader(strings.Repeat("x", 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = req.Write(c) }()
	resp, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusServiceUnavailable || string(b) != `{"message":"machine default is broken\nberth machine doctor"}` || err != nil {
		t.Errorf("%s: %s, %v", resp.Status, b, err)
	}
}

func TestNoConnectionIsLeftBehind(t *testing.T) {
	p := &dockerproxy.Proxy{Guest: to(engine{func(c *net.TCPConn) { _, _ = io.Copy(c, c); c.Close() }})}
	dial := serve(t, p)
	for range 100 {
		c := dial()
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	for end := time.Now().Add(20 * time.Second); p.Open() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections of clients that have gone", p.Open())
		}
	}
}
