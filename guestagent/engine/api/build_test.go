package api

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/registry"
)

func TestBuildOptions(t *testing.T) {
	value := "1"
	auth := base64.URLEncoding.EncodeToString([]byte(`{"r:5000":{"username":"me","password":"pw"}}`))
	for _, tc := range []struct {
		query string
		want  BuildOptions
	}{
		{"", BuildOptions{}},
		{"rm=1", BuildOptions{}},
		{"rm=0", BuildOptions{KeepContainers: true}},
		{"rm=0&forcerm=1", BuildOptions{}},
		{"t=a&t=b:1&dockerfile=x/D&target=s&nocache=1&pull=true&platform=linux/arm64&networkmode=host&cgroupparent=p", BuildOptions{
			Tags: []string{"a", "b:1"}, Dockerfile: "x/D", Target: "s", NoCache: true, Pull: true, Platform: "linux/arm64", NetworkMode: "host", CgroupParent: "p",
		}},
		{`version=2&remote=client-session&session=s&buildid=b&outputs=[{"Type":"local","Attrs":{"dest":"/x"}}]`, BuildOptions{
			BuildKit: true, Remote: "client-session", SessionID: "s", BuildID: "b", Outputs: []BuildOutput{{Type: "local", Attrs: map[string]string{"dest": "/x"}}},
		}},
		{`buildargs={"A":"1","B":null}&labels={"l":"v"}&cachefrom=["c"]&extrahosts=h:1.2.3.4`, BuildOptions{
			Args: map[string]*string{"A": &value, "B": nil}, Labels: map[string]string{"l": "v"}, CacheFrom: []string{"c"}, ExtraHosts: []string{"h:1.2.3.4"},
		}},
		{`shmsize=1&memory=2&memswap=-1&cpushares=4&cpuperiod=5&cpuquota=6&cpusetcpus=0&cpusetmems=1&ulimits=[{"Name":"nofile","Soft":1,"Hard":2}]`, BuildOptions{
			Limits: BuildLimits{ShmSize: 1, Memory: 2, MemorySwap: -1, CPUShares: 4, CPUPeriod: 5, CPUQuota: 6, CpusetCpus: "0", CpusetMems: "1",
				Ulimits: []*container.Ulimit{{Name: "nofile", Soft: 1, Hard: 2}}},
		}},
	} {
		f := &fake{build: func(io.Reader, io.Writer) (string, error) { return "", nil }}
		w := ask(f, "POST", "/build?"+tc.query, "", "X-Registry-Config: "+auth)
		if w.Code != http.StatusOK {
			t.Errorf("%s: status %d, %s", tc.query, w.Code, w.Body)
		}
		tc.want.Auth = map[string]registry.AuthConfig{"r:5000": {Username: "me", Password: "pw"}}
		if !reflect.DeepEqual(f.buildFor, tc.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", tc.query, f.buildFor, tc.want)
		}
	}
}

func TestBuildProgress(t *testing.T) {
	ok := func(_ io.Reader, w io.Writer) (string, error) {
		_, err := io.WriteString(w, "{\"stream\":\"Step 1/1 : FROM x\\n\"}\r\n")
		return "sha256:0123", err
	}
	failing := func(_ io.Reader, w io.Writer) (string, error) {
		_, err := io.WriteString(w, "{\"stream\":\"Step 1/1 : RUN x\\n\"}\r\n")
		return "", errors.Join(err, &jsonstream.Error{Code: 3, Message: "The command 'x' returned a non-zero code: 3"})
	}
	early := func(io.Reader, io.Writer) (string, error) { return "", fmt.Errorf("no disk") }
	const failure = `{"errorDetail":{"code":3,"message":"The command 'x' returned a non-zero code: 3"},"error":"The command 'x' returned a non-zero code: 3"}`
	for _, tc := range []struct {
		name, query string
		build       func(io.Reader, io.Writer) (string, error)
		status      int
		body        string
	}{
		{"loud", "", ok, 200, "{\"stream\":\"Step 1/1 : FROM x\\n\"}\r\n"},
		{"quiet", "?q=1", ok, 200, "{\"stream\":\"sha256:0123\\n\"}\r\n"},
		{"failing", "", failing, 200, "{\"stream\":\"Step 1/1 : RUN x\\n\"}\r\n" + failure + "\r\n"},
		{"failing quietly", "?q=1", failing, 200, "{\"stream\":\"Step 1/1 : RUN x\\n\"}\r\n" + failure + "\r\n"},
		{"failing early", "", early, 500, `{"message":"no disk"}` + "\n"},
	} {
		w := ask(&fake{build: tc.build}, "POST", "/build"+tc.query, "")
		if w.Code != tc.status || w.Body.String() != tc.body {
			t.Errorf("%s: %d %q\nwant %d %q", tc.name, w.Code, w.Body, tc.status, tc.body)
		}
	}
}

// A build that does not want its context leaves the connection fit for the next request.
func TestBuildLeavesTheConnectionFit(t *testing.T) {
	f := &fake{build: func(body io.Reader, w io.Writer) (string, error) {
		one := make([]byte, 1)
		if _, err := io.ReadFull(body, one); err != nil || one[0] == 'x' {
			return "", errors.Join(errdefs.Invalid("no context"), err)
		}
		_, err := io.Copy(w, body)
		return "", err
	}}
	conn, err := net.Dial("unix", listen(t, f))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for i := range 20 {
		for body, want := range map[string]int{"xrefused": 400, "yes": 200} {
			fmt.Fprintf(conn, "POST /build HTTP/1.1\r\nHost: engine\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("round %d, %s: %v", i, body, err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != want {
				t.Fatalf("round %d, %s: %d, %v", i, body, resp.StatusCode, err)
			}
		}
	}
}

// A build's progress reaches the client while that still sends its context.
func TestBuildAnswersBeforeTheContextEnds(t *testing.T) {
	f := &fake{build: func(body io.Reader, w io.Writer) (string, error) {
		one := make([]byte, 1)
		if _, err := io.ReadFull(body, one); err != nil {
			return "", err
		}
		if _, err := io.WriteString(w, "{}\r\n"); err != nil {
			return "", err
		}
		rest, err := io.ReadAll(body)
		if err == nil {
			_, err = fmt.Fprintf(w, "{\"stream\":%q}\r\n", rest)
		}
		return "", err
	}}
	pr, pw := io.Pipe()
	req, err := http.NewRequest(http.MethodPost, "http://engine/build", pr)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = pw.Write([]byte("a")) }()
	resp, err := plain(listen(t, f)).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewReader(resp.Body)
	if line, err := in.ReadString('\n'); err != nil || line != "{}\r\n" {
		t.Fatalf("the first message is %q (%v)", line, err)
	}
	if _, err := pw.Write([]byte("bc")); err != nil {
		t.Fatal(err)
	}
	pw.Close()
	if line, err := in.ReadString('\n'); err != nil || line != "{\"stream\":\"bc\"}\r\n" {
		t.Errorf("the second message is %q (%v)", line, err)
	}
}

func TestBuildUpgrade(t *testing.T) {
	for path, want := range map[string]string{"/session": "BuildSession id", "/grpc": "BuildControl"} {
		f := &fake{}
		conn, err := net.Dial("unix", listen(t, f))
		if err != nil {
			t.Fatal(err)
		}
		head := "POST " + path + " HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nX-Docker-Expose-Session-Uuid: id\r\n\r\n"
		if _, err := io.WriteString(conn, head); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		if text := string(answer); !strings.HasPrefix(text, "HTTP/1.1 101 ") || !strings.Contains(text, "Upgrade: h2c\r\n") {
			t.Errorf("%s answers %q", path, answer)
		}
		if f.last() != want {
			t.Errorf("%s asked for %q, want %q", path, f.last(), want)
		}
		conn.Close()
	}
}

func TestBuildPruneOptions(t *testing.T) {
	for query, want := range map[string]BuildPruneOptions{
		"/build/prune?all=1&reserved-space=1&max-used-space=2&min-free-space=3&keep-storage=9": {All: true, ReservedSpace: 1, MaxUsedSpace: 2, MinFreeSpace: 3},
		"/v1.47/build/prune?reserved-space=1&max-used-space=2&min-free-space=3&keep-storage=9": {ReservedSpace: 9},
		`/build/prune?filters={"until":["24h"]}`:                                               {Filters: Filters{"until": {"24h": true}}},
	} {
		f := &fake{}
		if w := ask(f, "POST", query, ""); w.Code != http.StatusOK {
			t.Errorf("%s: status %d, %s", query, w.Code, w.Body)
		}
		if want.Filters == nil {
			want.Filters = Filters{}
		}
		if !reflect.DeepEqual(f.pruneFor, want) {
			t.Errorf("%s gave %+v, want %+v", query, f.pruneFor, want)
		}
	}
}
