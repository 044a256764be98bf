package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
	"golang.org/x/net/websocket"
)

// echo is a container that says what it hears, in capitals, on stdout, and "bye" on stderr at the end of its input.
func echo(mux bool) func(context.Context, func(bool) Hijack) error {
	return func(_ context.Context, hijack func(bool) Hijack) error {
		conn, preface, err := hijack(mux)()
		if err != nil {
			return err
		}
		stdout, stderr := framed(conn, mux)
		in := io.MultiReader(strings.NewReader(string(preface)), conn)
		data, readErr := io.ReadAll(in)
		_, outErr := io.WriteString(stdout, strings.ToUpper(string(data)))
		_, errErr := io.WriteString(stderr, "bye")
		return errors.Join(readErr, outErr, errErr, conn.Close())
	}
}

// talk sends input, closes that half, and reads the rest.
func talk(t *testing.T, r client.HijackedResponse, input string, mux bool) (stdout, stderr string) {
	t.Helper()
	defer r.Close()
	if _, err := io.WriteString(r.Conn, input); err != nil {
		t.Fatal(err)
	}
	if err := r.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var out, errOut strings.Builder
	var err error
	if mux {
		_, err = stdcopy.StdCopy(&out, &errOut, r.Reader)
	} else {
		_, err = io.Copy(&out, r.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), errOut.String()
}

func TestAttachAndExecWithTheClient(t *testing.T) {
	for _, mux := range []bool{true, false} {
		for _, version := range []string{"1.41", "1.42", "1.56"} {
			f := &fake{attach: echo(mux)}
			cli := dial(t, f, client.WithAPIVersion(version))
			attached, err := cli.ContainerAttach(context.Background(), "web", client.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true, DetachKeys: "ctrl-a"})
			if err != nil {
				t.Fatal(err)
			}
			checkTalk(t, attached.HijackedResponse, mux, version)
			if want := "ContainerAttach web true true false true false ctrl-a"; f.last() != want {
				t.Errorf("the engine was asked %q, want %q", f.last(), want)
			}
			started, err := cli.ExecAttach(context.Background(), "e1", client.ExecAttachOptions{TTY: !mux})
			if err != nil {
				t.Fatal(err)
			}
			checkTalk(t, started.HijackedResponse, mux, version)
		}
	}
}

func checkTalk(t *testing.T, r client.HijackedResponse, mux bool, version string) {
	t.Helper()
	want := "application/vnd.docker.raw-stream"
	if mux && version != "1.41" {
		want = "application/vnd.docker.multiplexed-stream"
	}
	if got, _ := r.MediaType(); got != want {
		t.Errorf("mux %v, version %s: media type %q, want %q", mux, version, got, want)
	}
	stdout, stderr := talk(t, r, "hello", mux)
	if mux && (stdout != "HELLO" || stderr != "bye") || !mux && stdout != "HELLObye" {
		t.Errorf("mux %v: got %q and %q", mux, stdout, stderr)
	}
}

// rawTalk writes a request by hand and reads everything.
func rawTalk(t *testing.T, path, request string) string {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What a client sends in one piece with its request is not lost, with and without an upgrade, with and without a body.
func TestHijackKeepsWhatCameEarly(t *testing.T) {
	body := `{"Tty":true}`
	for _, tc := range []struct{ name, request, status string }{
		{"attach, upgrade", "POST /v1.44/containers/web/attach?stdin=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\nearly", "HTTP/1.1 101 UPGRADED\r\n"},
		{"attach, plain", "POST /containers/web/attach HTTP/1.1\r\nHost: x\r\n\r\nearly", "HTTP/1.1 200 OK\r\n"},
		{"exec, upgrade", fmt.Sprintf("POST /exec/e/start HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%searly", len(body), body), "HTTP/1.1 101 UPGRADED\r\n"},
		{"exec, plain", fmt.Sprintf("POST /exec/e/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%searly", len(body), body), "HTTP/1.1 200 OK\r\n"},
		{"exec, chunked", fmt.Sprintf("POST /exec/e/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\nearly", len(body), body), "HTTP/1.1 200 OK\r\n"},
	} {
		got := rawTalk(t, listen(t, &fake{attach: echo(false)}), tc.request)
		head, rest, _ := strings.Cut(got, "\r\n\r\n")
		if !strings.HasPrefix(got, tc.status) || rest != "EARLYbye" {
			t.Errorf("%s: got %q", tc.name, got)
		}
		for _, line := range []string{"Content-Type: application/vnd.docker.raw-stream", "Api-Version: 1.56", "Ostype: linux"} {
			if strings.Count(head, line) != 1 {
				t.Errorf("%s: the head lacks %q, or has it twice: %q", tc.name, line, head)
			}
		}
		if strings.HasPrefix(tc.status, "HTTP/1.1 101") != strings.Contains(head, "Upgrade: tcp") {
			t.Errorf("%s: Upgrade header in %q", tc.name, head)
		}
	}
}

// A client that has sent all its input before its connection is taken over is still there for the output.
func TestHalfClosedClientHasNotLeft(t *testing.T) {
	f := &fake{attach: func(ctx context.Context, hijack func(bool) Hijack) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond): // long enough for the server to see the end of the input
		}
		return echo(false)(ctx, hijack)
	}}
	got := rawTalk(t, listen(t, f), "POST /containers/web/attach HTTP/1.1\r\nHost: x\r\n\r\n")
	if !strings.HasSuffix(got, "\r\n\r\nbye") {
		t.Errorf("got %q", got)
	}
}

// An error before the connection is taken over is an answer in plain text, as docker's.
func TestAttachRefused(t *testing.T) {
	f := &fake{fail: map[string]error{"ContainerAttach": errdefs.NotFound("No such container: web")}}
	got := rawTalk(t, listen(t, f), "POST /containers/web/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 404 Not Found\r\n") || !strings.Contains(got, "\r\n\r\nNo such container: web\r\n") {
		t.Errorf("got %q", got)
	}
}

// An error after it must not write a second answer into the stream.
func TestErrorAfterHijackIsNotSent(t *testing.T) {
	f := &fake{attach: func(_ context.Context, hijack func(bool) Hijack) error {
		conn, _, err := hijack(false)()
		if err != nil {
			return err
		}
		_, err = io.WriteString(conn, "output")
		return errors.Join(errors.New("too late"), err, conn.Close())
	}}
	got := rawTalk(t, listen(t, f), "POST /containers/web/attach HTTP/1.1\r\nHost: x\r\n\r\n")
	if !strings.HasSuffix(got, "\r\n\r\noutput") {
		t.Errorf("got %q", got)
	}
}

// The engine may keep the connection beyond its own return, as the supervisor does.
func TestHijackedConnectionOutlivesTheHandler(t *testing.T) {
	kept := make(chan net.Conn, 1)
	f := &fake{attach: func(_ context.Context, hijack func(bool) Hijack) error {
		conn, _, err := hijack(false)()
		kept <- conn
		return err
	}}
	path := listen(t, f)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "POST /containers/web/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("answer = %v, %v", resp, err)
	}
	held := <-kept
	if _, ok := held.(*net.UnixConn); !ok {
		t.Errorf("the engine got a %T, want the socket itself, whose descriptor it can pass on", held)
	}
	if _, err := io.WriteString(held, "still here\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := reader.ReadString('\n'); line != "still here\n" {
		t.Errorf("read %q, %v", line, err)
	}
	if err := held.Close(); err != nil {
		t.Error(err)
	}
}

func TestWebsocketAttach(t *testing.T) {
	for _, mux := range []bool{true, false} {
		heard := make(chan string, 1)
		f := &fake{attach: func(_ context.Context, hijack func(bool) Hijack) error {
			conn, _, err := hijack(mux)()
			if err != nil {
				return err
			}
			buf := make([]byte, 5)
			_, readErr := io.ReadFull(conn, buf)
			heard <- string(buf)
			stdout, stderr := framed(conn, mux)
			_, outErr := io.WriteString(stdout, "out")
			_, errErr := io.WriteString(stderr, "err")
			return errors.Join(readErr, outErr, errErr, conn.Close())
		}}
		path := listen(t, f)
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := websocket.NewConfig("ws://x/v1.44/containers/web/attach/ws?stream=1&stdin=1&stdout=1", "http://x")
		if err != nil {
			t.Fatal(err)
		}
		ws, err := websocket.NewClient(cfg, conn)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(ws, "hello"); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(ws)
		if err != nil || string(got) != "outerr" || <-heard != "hello" {
			t.Errorf("mux %v: read %q, %v", mux, got, err)
		}
		_ = ws.Close()
	}
}

// A browser that leaves ends the engine's side too.
func TestWebsocketClientLeaves(t *testing.T) {
	ended := make(chan error, 1)
	f := &fake{attach: func(_ context.Context, hijack func(bool) Hijack) error {
		conn, _, err := hijack(false)()
		if err != nil {
			return err
		}
		_, err = io.ReadAll(conn)
		ended <- err
		return conn.Close()
	}}
	conn, err := net.Dial("unix", listen(t, f))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := websocket.NewConfig("ws://x/containers/web/attach/ws?stream=1", "http://x")
	if err != nil {
		t.Fatal(err)
	}
	ws, err := websocket.NewClient(cfg, conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := ws.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the engine still reads")
	}
}

// A handshake that is none leaves no goroutine and no socket behind.
func TestWebsocketBadHandshake(t *testing.T) {
	ended := make(chan error, 1)
	f := &fake{attach: func(_ context.Context, hijack func(bool) Hijack) error {
		conn, _, err := hijack(false)()
		if err != nil {
			return err
		}
		_, err = io.ReadAll(conn)
		ended <- err
		return conn.Close()
	}}
	got := rawTalk(t, listen(t, f), "GET /containers/web/attach/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: close\r\n\r\n")
	if !strings.Contains(got, "400 Bad Request") {
		t.Errorf("got %q, want 400", got)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the engine still reads")
	}
}
