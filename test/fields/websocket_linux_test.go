package fields

import (
	"net"
	"net/http"
	"time"

	"github.com/berthhq/berth/test/coverage/record"
	"github.com/berthhq/berth/test/harness"
	"golang.org/x/net/websocket"
)

// dialWebsocket opens a websocket of the API.
func dialWebsocket(w *harness.World, path string) *websocket.Conn {
	w.Helper()
	conf, err := websocket.NewConfig("ws://engine"+path, "http://engine")
	w.Must(err)
	conn, err := net.Dial("unix", w.Layout.Socket())
	w.Must(err)
	w.Must(conn.SetDeadline(time.Now().Add(time.Minute)))
	ws, err := websocket.NewClient(conf, conn)
	w.Must(err)
	req, err := http.NewRequest(http.MethodGet, "http://engine"+path, nil)
	w.Must(err)
	record.Response(&http.Response{StatusCode: http.StatusSwitchingProtocols, Request: req})
	return ws
}
