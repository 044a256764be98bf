package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
)

func nothing(context.Context, io.Writer) error { return nil }

// get asks over a real connection and reads the answer line by line.
func get(t *testing.T, f *fake, method, target string, headers ...string) (*http.Response, *bufio.Reader) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, "http://x"+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		key, value, _ := strings.Cut(h, ": ")
		req.Header.Set(key, value)
	}
	resp, err := plain(listen(t, f)).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp, bufio.NewReader(resp.Body)
}

func line(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	s, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("reading a line after %q: %v", s, err)
	}
	return s
}

// The first message must not wait for the second.
func TestProgressIsFlushed(t *testing.T) {
	more := make(chan struct{})
	f := &fake{progress: func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, `{"status":"one"}`+"\n")
		<-more
		_, err2 := io.WriteString(w, `{"status":"two"}`+"\n")
		return errors.Join(err, err2)
	}}
	resp, r := get(t, f, "POST", "/images/create?fromImage=x")
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type = %q", got)
	}
	if got := line(t, r); !strings.Contains(got, "one") {
		t.Errorf("first line = %q", got)
	}
	close(more)
	if got := line(t, r); !strings.Contains(got, "two") {
		t.Errorf("second line = %q", got)
	}
}

func TestErrorInTheMiddleOfProgress(t *testing.T) {
	f := &fake{progress: func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, `{"status":"one"}`+"\n")
		return errors.Join(err, errdefs.NotFound(`manifest "x" <unknown>`))
	}}
	w := ask(f, "POST", "/images/create?fromImage=x", "")
	lines := strings.SplitAfter(w.Body.String(), "\n")
	if w.Code != 200 || len(lines) != 3 {
		t.Fatalf("got %d %q", w.Code, lines)
	}
	var msg struct {
		Error       string
		ErrorDetail struct{ Message string }
	}
	if err := json.Unmarshal([]byte(lines[1]), &msg); err != nil {
		t.Fatal(err)
	}
	if want := `manifest "x" <unknown>`; msg.Error != want || msg.ErrorDetail.Message != want {
		t.Errorf("last message = %+v, want %q twice", msg, want)
	}
	f.progress = func(context.Context, io.Writer) error { return errdefs.NotFound("no such manifest") }
	if w := ask(f, "POST", "/images/create?fromImage=x", ""); w.Code != 404 {
		t.Errorf("an error before the first message gave %d, want 404", w.Code)
	}
	cli := dial(t, &fake{progress: func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, "{}\n")
		return errors.Join(err, errors.New("cut"))
	}})
	pull, err := cli.ImagePull(context.Background(), "x", client.ImagePullOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := pull.Wait(context.Background()); err == nil || !strings.Contains(err.Error(), "cut") {
		t.Errorf("the client learnt %v, want the engine's error", err)
	}
}

// Half an archive must not look like a whole one.
func TestErrorInTheMiddleOfAnArchive(t *testing.T) {
	f := &fake{progress: func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, strings.Repeat("x", 1<<16))
		return errors.Join(err, errors.New("disk error"))
	}}
	for _, target := range []string{"/containers/web/export", "/images/x/get"} {
		_, r := get(t, f, "GET", target)
		if _, err := io.ReadAll(r); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: reading gave %v, want an unexpected end", target, err)
		}
	}
	f.progress = func(context.Context, io.Writer) error { return errdefs.Conflict("not now") }
	if w := ask(f, "GET", "/containers/web/export", ""); w.Code != 409 || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("an error before the first byte gave %d %s", w.Code, w.Header().Get("Content-Type"))
	}
}

func TestLogs(t *testing.T) {
	say := func(_ context.Context, stdout, stderr io.Writer, _ func()) error {
		_, err := io.WriteString(stdout, "out\n")
		_, err2 := io.WriteString(stderr, "err\n")
		return errors.Join(err, err2)
	}
	for _, tc := range []struct {
		target, contentType string
		tty                 bool
	}{
		{"/v1.41/containers/web/logs?stdout=1", "application/vnd.docker.raw-stream", false},
		{"/containers/web/logs?stdout=1", "application/vnd.docker.multiplexed-stream", false},
		{"/containers/web/logs?stdout=1", "application/vnd.docker.raw-stream", true},
	} {
		w := ask(&fake{tty: tc.tty, logs: say}, "GET", tc.target, "")
		if got := w.Header().Get("Content-Type"); got != tc.contentType {
			t.Errorf("%s tty %v: Content-Type = %q, want %q", tc.target, tc.tty, got, tc.contentType)
		}
		if tc.tty {
			if w.Body.String() != "out\nerr\n" {
				t.Errorf("tty: %q", w.Body)
			}
			continue
		}
		var out, errOut strings.Builder
		if _, err := stdcopy.StdCopy(&out, &errOut, w.Body); err != nil || out.String() != "out\n" || errOut.String() != "err\n" {
			t.Errorf("%s: %q, %q, %v", tc.target, out.String(), errOut.String(), err)
		}
	}
}

// Lines go out together, but none is kept back while more is waited for.
func TestFollowedLogsGoOutBeforeTheWait(t *testing.T) {
	more := make(chan struct{})
	_, r := get(t, &fake{tty: true, logs: func(_ context.Context, stdout, _ io.Writer, settled func()) error {
		_, err := io.WriteString(stdout, "first\n")
		settled()
		<-more
		_, err2 := io.WriteString(stdout, "second\n")
		return errors.Join(err, err2)
	}}, "GET", "/containers/web/logs?stdout=1&follow=1")
	first := make([]byte, len("first\n"))
	if _, err := io.ReadFull(r, first); err != nil || string(first) != "first\n" {
		t.Fatalf("before the wait came %q, %v", first, err)
	}
	close(more)
	if rest, err := io.ReadAll(r); err != nil || string(rest) != "second\n" {
		t.Errorf("after it came %q, %v", rest, err)
	}
}

func TestLogOptions(t *testing.T) {
	quiet := func(context.Context, io.Writer, io.Writer, func()) error { return nil }
	for target, want := range map[string]string{
		"?stdout=1&stderr=true&follow=1&timestamps=yes&details=1&tail=10&since=5.25&until=7": "ContainerLogs web true true true true true 10 5.250000000 7.000000000",
		"?stdout=1&stderr=0&follow=false&tail=all&since=0":                                   "ContainerLogs web true false false false false -1 - -",
		"?stdout=1&tail=some":                         "ContainerLogs web true false false false false -1 - -",
		"?stderr=1&tail=0&since=2024-01-01T00:00:00Z": "ContainerLogs web false true false false false 0 1704067200.000000000 -",
	} {
		f := &fake{logs: quiet}
		ask(f, "GET", "/containers/web/logs"+target, "")
		if got := f.last(); got != want {
			t.Errorf("%s asked %q, want %q", target, got, want)
		}
	}
}

// Someone who follows silent logs must have the head at once, and a failing reader is told of in the stream.
func TestLogsHeadComesFirstAndErrorsFollow(t *testing.T) {
	more := make(chan struct{})
	_, r := get(t, &fake{tty: true, logs: func(context.Context, io.Writer, io.Writer, func()) error {
		<-more
		return errors.New("file is gone")
	}}, "GET", "/containers/web/logs?stdout=1&follow=1")
	close(more)
	if got := line(t, r); got != "Error grabbing logs: file is gone\n" {
		t.Errorf("got %q", got)
	}
}

func TestWaitSendsItsHeadFirst(t *testing.T) {
	exit := make(chan struct{})
	f := &fake{wait: func(context.Context) (container.WaitResponse, error) {
		<-exit
		return container.WaitResponse{StatusCode: 3}, nil
	}}
	resp, r := get(t, f, "POST", "/containers/web/wait?condition=next-exit")
	if resp.StatusCode != 200 || f.last() != "ContainerWait web next-exit" {
		t.Errorf("status %d, asked %q", resp.StatusCode, f.last())
	}
	close(exit)
	if got := line(t, r); got != `{"StatusCode":3}`+"\n" {
		t.Errorf("got %q", got)
	}
}

func TestWait(t *testing.T) {
	failing := func(context.Context) (container.WaitResponse, error) {
		return container.WaitResponse{StatusCode: -1}, errors.New("lost")
	}
	fine := func(context.Context) (container.WaitResponse, error) { return container.WaitResponse{}, nil }
	for _, tc := range []struct {
		target, asked, body string
		wait                func(context.Context) (container.WaitResponse, error)
		status              int
	}{
		{"/containers/web/wait", "ContainerWait web not-running", `{"StatusCode":0}`, fine, 200},
		{"/containers/web/wait?condition=removed", "ContainerWait web removed", `{"StatusCode":0}`, fine, 200},
		{"/v1.29/containers/web/wait?condition=removed", "ContainerWait web not-running", `{"StatusCode":0}`, fine, 200},
		{"/containers/web/wait", "ContainerWait web not-running", `{"Error":{"Message":"lost"},"StatusCode":-1}`, failing, 200},
		{"/v1.29/containers/web/wait", "ContainerWait web not-running", `{"message":"lost"}`, failing, 500},
	} {
		f := &fake{wait: tc.wait}
		w := ask(f, "POST", tc.target, "")
		if w.Code != tc.status || strings.TrimSpace(w.Body.String()) != tc.body || f.last() != tc.asked {
			t.Errorf("%s = %d %s, asked %q", tc.target, w.Code, w.Body, f.last())
		}
	}
	f := &fake{wait: fine, fail: map[string]error{"ContainerWait": errdefs.NotFound("No such container: web")}}
	if w := ask(f, "POST", "/containers/web/wait", ""); w.Code != 404 {
		t.Errorf("waiting for no container gave %d, want 404", w.Code)
	}
}

func TestStats(t *testing.T) {
	samples := 0
	f := &fake{stats: func() (container.StatsResponse, error) {
		samples++
		if samples > 2 {
			return container.StatsResponse{}, errdefs.NotFound("No such container: web")
		}
		return container.StatsResponse{ID: "c1", Read: time.Unix(int64(samples), 0).UTC(), CPUStats: container.CPUStats{SystemUsage: uint64(samples)}}, nil
	}}
	var got []container.StatsResponse
	for dec := json.NewDecoder(ask(f, "GET", "/containers/web/stats", "").Body); ; {
		var s container.StatsResponse
		if err := dec.Decode(&s); err != nil {
			break
		}
		got = append(got, s)
	}
	if len(got) != 2 || got[0].PreCPUStats.SystemUsage != 0 || got[1].PreCPUStats.SystemUsage != 1 || got[1].PreRead.Unix() != 1 {
		t.Errorf("the stream gave %+v, want two samples, the second with the first beside it", got)
	}
	samples = 0
	var one container.StatsResponse
	if err := json.Unmarshal(ask(f, "GET", "/containers/web/stats?stream=0", "").Body.Bytes(), &one); err != nil || one.CPUStats.SystemUsage != 2 || one.PreCPUStats.SystemUsage != 1 {
		t.Errorf("stream=0 gave %+v, %v, want the second of two samples", one, err)
	}
	samples = 0
	if err := json.Unmarshal(ask(f, "GET", "/containers/web/stats?stream=0&one-shot=1", "").Body.Bytes(), &one); err != nil || samples != 1 {
		t.Errorf("one-shot took %d samples, %v", samples, err)
	}
}

func TestEvents(t *testing.T) {
	m := events.Message{Type: events.ContainerEventType, Action: events.ActionDie, Actor: events.Actor{ID: "c1", Attributes: map[string]string{"image": "x"}}, TimeNano: 5}
	f := &fake{events: func(_ context.Context, _, _ time.Time, ready func(), each func(events.Message) error) error {
		ready()
		return each(m)
	}}
	const plainEvent = `{"Type":"container","Action":"die","Actor":{"ID":"c1","Attributes":{"image":"x"}},"timeNano":5}` + "\n"
	for _, tc := range []struct{ target, accept, contentType, body string }{
		{"/events", "", "application/json", plainEvent},
		{"/events", "text/html, */*", "application/json", plainEvent},
		{"/events", "application/x-ndjson", "application/x-ndjson", plainEvent},
		{"/events", "application/jsonl, application/x-ndjson;q=0.9", "application/jsonl", plainEvent},
		{"/v1.52/events", "application/jsonl, application/x-ndjson;q=0.9", "application/x-ndjson", plainEvent},
		{"/events", "application/json-seq;q=0.5, application/jsonl;q=bad", "application/json-seq", "\x1e" + plainEvent},
		{"/v1.51/events", "application/x-ndjson", "application/json", `{"status":"die","id":"c1","from":"x",` + plainEvent[1:]},
	} {
		w := ask(f, "GET", tc.target, "", "Accept: "+tc.accept)
		if got := w.Header().Get("Content-Type"); got != tc.contentType || w.Body.String() != tc.body {
			t.Errorf("%s, Accept %q: %q %q\nwant %q %q", tc.target, tc.accept, got, w.Body, tc.contentType, tc.body)
		}
	}
	ask(f, "GET", `/events?since=1.5&until=2&filters=%7B%22anything%22:%5B%22goes%22%5D%7D`, "")
	if want := "Events 1.500000000 2.000000000 map[anything:map[goes:true]]"; f.last() != want {
		t.Errorf("asked %q, want %q", f.last(), want)
	}
}

func TestEventsWithTheClient(t *testing.T) {
	f := &fake{events: func(ctx context.Context, _, _ time.Time, ready func(), each func(events.Message) error) error {
		ready()
		if err := each(events.Message{Type: "volume", Action: "create"}); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}}
	cli := dial(t, f)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	stream := cli.Events(ctx, client.EventsListOptions{})
	select {
	case m := <-stream.Messages:
		if m.Type != "volume" {
			t.Errorf("got %+v", m)
		}
	case err := <-stream.Err:
		t.Fatal(err)
	}
}
