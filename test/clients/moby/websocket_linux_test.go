package moby

import (
	"context"
	"io"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"golang.org/x/net/websocket"
)

// socket talks to a container as a terminal in a browser does: what is sent comes back, what it said before can be had,
// and its end closes the socket.
func socket(w *harness.World) {
	id := run(w, harness.Spec{Cmd: []string{"sh", "-c", "echo ready; while read line; do echo got $line; [ $line != end ] || exit 3; done"}, Conf: stdin})
	// What is written between the log's end and the stream's beginning is in neither, as with dockerd.
	w.Eventually("ready is in the log", func() bool { out, _ := w.Logs(id); return out == "ready\n" })
	ws := dial(w, id, "stream=1&stdin=1&stdout=1&stderr=1&logs=1")
	until(w, ws, "ready\n")
	for _, word := range []string{"one", "two"} {
		_, err := ws.Write([]byte(word + "\n"))
		w.Must(err)
		until(w, ws, "got "+word+"\n")
	}
	_, err := ws.Write([]byte("end\n"))
	w.Must(err)
	rest, err := io.ReadAll(ws)
	if string(rest) != "got end\n" || err != nil {
		w.Errorf("at the end comes %q, %v", rest, err)
	}
	if code := w.Wait(id); code != 3 {
		w.Errorf("the container ended with %d", code)
	}
	shell := run(w, harness.Spec{Cmd: []string{"sh"}, Conf: func(c *container.Config, h *container.HostConfig) {
		stdin(c, h)
		c.Tty, c.StdinOnce = true, false
	}})
	for range 2 { // a page that is loaded again: the container goes on
		page := dial(w, shell, "stream=1&stdin=1&stdout=1")
		_, err := page.Write([]byte("echo $((6*7))x\n"))
		w.Must(err)
		until(w, page, "42x\r\n")
		w.Must(page.Close())
	}
	if !w.Inspect(shell).State.Running {
		w.Error("the shell went with the page")
	}
}

// endpoint is where the engine listens.
func endpoint(w *harness.World) string {
	if at := os.Getenv(envEndpoint); at != "" {
		return at
	}
	return "unix://" + w.Layout.Socket()
}

// dial opens a websocket to a container without the client, which has none.
func dial(w *harness.World, id, query string) *websocket.Conn {
	w.Helper()
	network, addr, _ := strings.Cut(endpoint(w), "://")
	conn, err := (&net.Dialer{}).DialContext(w.Ctx(), network, addr)
	w.Must(err)
	context.AfterFunc(w.Ctx(), func() { conn.Close() }) // whoever still reads then has waited too long
	ws, err := websocket.NewClient(&websocket.Config{
		Location: &url.URL{Scheme: "ws", Host: "engine", Path: "/v1.44/containers/" + id + "/attach/ws", RawQuery: query},
		Origin:   &url.URL{Scheme: "http", Host: "engine"}, Version: websocket.ProtocolVersionHybi13,
	}, conn)
	w.Must(err)
	return ws
}

// until reads until these words have come.
func until(w *harness.World, ws *websocket.Conn, words string) {
	w.Helper()
	var seen strings.Builder
	for b := make([]byte, 4096); !strings.Contains(seen.String(), words); {
		n, err := ws.Read(b)
		seen.Write(b[:n])
		if err != nil {
			w.Fatalf("no %q, but %q, %v", words, seen.String(), err)
		}
	}
}
