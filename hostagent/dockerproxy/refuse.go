package dockerproxy

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/internal/errdefs"
)

const (
	// refuseWithin bounds how long a client may take over a request that is refused.
	refuseWithin = 10 * time.Second
	// maxHead bounds what is read of it.
	maxHead = 1 << 20
)

// refuse answers the client's first request with the error, as the engine words one, so that any client shows it.
func refuse(c transport.Half, why error) {
	_ = c.SetDeadline(time.Now().Add(refuseWithin))
	req, err := http.ReadRequest(bufio.NewReader(io.LimitReader(c, maxHead)))
	if err != nil {
		return
	}
	text := why.Error()
	if hint := errdefs.HintOf(why); hint != "" {
		text += "\n" + hint
	}
	body, err := json.Marshal(map[string]string{"message": text})
	if err != nil {
		return
	}
	resp := http.Response{
		StatusCode: http.StatusServiceUnavailable, ProtoMajor: 1, ProtoMinor: 1, Request: req, Close: true,
		Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(string(body))),
	}
	if err := resp.Write(c); err != nil {
		return
	}
	// The client may still be sending: to close now would reset the connection and lose the answer.
	_ = c.CloseWrite()
	_, _ = io.Copy(io.Discard, c)
}
