package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
)

// A client from before JSON errors gets plain text.
func TestTooOldAClient(t *testing.T) {
	w := ask(&fake{}, "GET", "/v1.12/info", "")
	const want = "client version 1.12 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version\n"
	if w.Code != http.StatusBadRequest || w.Body.String() != want {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}

// Attaching over a websocket without one: a container that is not there is told first.
func TestWebsocketWithoutUpgrade(t *testing.T) {
	missing := &fake{fail: map[string]error{"ContainerInspect": errdefs.NotFound("No such container: x")}}
	if w := ask(missing, "GET", "/containers/x/attach/ws", ""); w.Code != http.StatusNotFound {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := ask(&fake{}, "GET", "/containers/x/attach/ws", ""); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "needs an Upgrade") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// Each row is one request no client should send, and dockerd's answer to it. The engine must not have been asked.
func TestBadInput(t *testing.T) {
	const create = `{"Image":"x"`
	for _, tc := range []struct {
		req, body string
		status    int
		message   string
		header    string
	}{
		// bodies
		{req: "POST /containers/create", body: `{`, status: 400, message: "invalid JSON: unexpected EOF"},
		{req: "POST /containers/create", body: ` `, status: 400, message: "invalid JSON: got EOF while reading request body"},
		{req: "POST /containers/create", body: `[]`, status: 400, message: "invalid JSON: json: cannot unmarshal array"},
		{req: "POST /containers/create", body: `"x"`, status: 400, message: "invalid JSON: json: cannot unmarshal string"},
		{req: "POST /containers/create", body: `{} {}`, status: 400, message: "unexpected content after JSON"},
		{req: "POST /containers/create", body: create + `}]`, status: 400, message: "unexpected content after JSON"},
		{req: "POST /containers/create", body: create + `}garbage`, status: 400, message: "unexpected content after JSON"},
		{req: "POST /containers/create", body: `{}`, status: 400, message: "config cannot be empty in order to create a container"},
		{req: "POST /containers/create", body: `null`, status: 400, message: "config cannot be empty in order to create a container"},
		{req: "POST /containers/create", body: ``, status: 400, message: "config cannot be empty in order to create a container"},
		{req: "POST /containers/create", body: `{"HostConfig":{}}`, status: 400, message: "config cannot be empty in order to create a container"},
		{req: "POST /containers/create", body: create + `,"Tty":"yes"}`, status: 400, message: "invalid JSON: json: cannot unmarshal string"},
		{req: "POST /containers/create", body: create + `,"ExposedPorts":{"http/tcp":{}}}`, status: 400, message: "invalid JSON: "},
		{req: "POST /containers/create", body: create + `,"HostConfig":{"PortBindings":{"80/tcp":[{"HostIp":"nowhere"}]}}}`, status: 400, message: "invalid JSON: "},
		{req: "POST /containers/create", body: create + `,"HostConfig":{"Dns":["8.8.8"]}}`, status: 400, message: "invalid JSON: "},
		{req: "POST /containers/create", body: create + `,"HostConfig":{"Memory":"1g"}}`, status: 400, message: "invalid JSON: json: cannot unmarshal string"},
		{req: "POST /containers/create", body: create + `}`, header: "Content-Type: text/plain", status: 400, message: "unsupported Content-Type header (text/plain): must be 'application/json'"},
		{req: "POST /containers/create", body: create + `}`, header: "Content-Type: ;", status: 400, message: "malformed Content-Type header (;): mime: no media type"},
		{req: "POST /containers/create", body: create + `}`, header: "Content-Type: ", status: 400, message: "malformed Content-Type header (): mime: no media type"},
		{req: "POST /containers/create", body: create + `,"Hostname":"` + strings.Repeat("a", maxJSONBody) + `"}`, status: 400, message: "invalid JSON: request body is larger than 16777216 bytes"},
		{req: "POST /containers/create", body: create + `,"Env":` + strings.Repeat("[", 20000), status: 400, message: "invalid JSON: "},
		{req: "POST /networks/create", body: `{"Name":1}`, status: 400, message: "invalid JSON: json: cannot unmarshal number"},
		{req: "POST /networks/create", body: `{}`, status: 400, message: "invalid name: name is empty"},
		{req: "POST /volumes/create", body: `{"Labels":[]}`, status: 400, message: "invalid JSON: json: cannot unmarshal array"},
		{req: "POST /volumes/create", body: `{"ClusterVolumeSpec":{}}`, status: 503, message: notManager},
		{req: "POST /containers/x/exec", body: `{"Cmd":[]}`, status: 400, message: "No exec command specified"},
		{req: "POST /containers/x/exec", body: ``, status: 400, message: "No exec command specified"},
		{req: "POST /exec/x/start", body: `{"Detach":3}`, status: 400, message: "invalid JSON: json: cannot unmarshal number"},
		{req: "POST /auth", body: `{"username":`, status: 400, message: "invalid JSON: unexpected EOF"},
		{req: "POST /containers/x/start", body: `{"Binds":[]}`, status: 400, message: "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24"},
		// what a create may say
		{req: "POST /containers/create?name=a", body: create + `}`, status: 400, message: "Invalid container name (a), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"},
		{req: "POST /containers/create?name=-ab", body: create + `}`, status: 400, message: "Invalid container name (-ab), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"},
		{req: "POST /containers/create?name=a%20b", body: create + `}`, status: 400, message: "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"},
		{req: "POST /containers/create?name=..%2Fx", body: create + `}`, status: 400, message: "Invalid container name (../x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"},
		{req: "POST /containers/create?name=%2F", body: create + `}`, status: 400, message: "Invalid container name (), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"},
		{req: "POST /containers/create?name=%C3%A4b", body: create + `}`, status: 400, message: "Invalid container name (äb), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"},
		{req: "POST /containers/create?platform=linux%2Fno%2Fsuch%2Fthing", body: create + `}`, status: 400, message: `"linux/no/such/thing": `},
		{req: "POST /containers/create?platform=%00", body: create + `}`, status: 400, message: `"\x00" is an invalid`},
		{req: "POST /containers/create", body: create + `,"HostConfig":{"IpcMode":"odd"}}`, status: 400, message: "invalid IPC mode: odd"},
		{req: "POST /containers/create", body: create + `,"HostConfig":{"PidMode":"container:"}}`, status: 400, message: "invalid PID mode: container:"},
		{req: "POST /containers/create", body: create + `,"HostConfig":{"UTSMode":"x"}}`, status: 400, message: "invalid UTS mode: x"},
		{req: "POST /containers/create", body: create + `,"HostConfig":{"UsernsMode":"x"}}`, status: 400, message: "invalid USER mode: x"},
		{req: "POST /containers/create", body: create + `,"HostConfig":{"CgroupnsMode":"x"}}`, status: 400, message: "invalid cgroup namespace mode: x"},
		{req: "POST /containers/create", body: create + `,"HostConfig":{"NetworkMode":"container:"}}`, status: 400, message: "invalid network mode: invalid container format container:<name|id>"},
		{req: "POST /containers/create", body: create + `,"HostConfig":{"Isolation":"hyperv"}}`, status: 400, message: `invalid isolation (hyperv): linux only supports 'default'`},
		{req: "POST /containers/create", body: create + `,"HostConfig":{"ShmSize":-1}}`, status: 400, message: "SHM size can not be less than 0"},
		{req: "POST /containers/create", body: create + `,"HostConfig":{"OomScoreAdj":1001}}`, status: 400, message: "Invalid value 1001, range for oom score adj is [-1000, 1000]"},
		{req: "POST /containers/create", body: create + `,"HostConfig":{"AutoRemove":true,"RestartPolicy":{"Name":"always"}}}`, status: 400, message: "can't create 'AutoRemove' container with restart policy"},
		{req: "POST /containers/create", body: create + `,"HostConfig":{"RestartPolicy":{"Name":"sometimes"}}}`, status: 400, message: "invalid restart policy: unknown policy 'sometimes'"},
		{req: "POST /containers/create", body: create + `,"HostConfig":{"RestartPolicy":{"Name":"always","MaximumRetryCount":3}}}`, status: 400, message: "invalid restart policy: maximum retry count can only be used with 'on-failure'"},
		{req: "POST /v1.43/containers/create", body: create + `,"NetworkingConfig":{"EndpointsConfig":{"b":{},"a":null}}}`, status: 400, message: "Container cannot be created with multiple network endpoints"},
		{req: "POST /v1.43/containers/create", body: create + `,"MacAddress":"zz"}`, status: 400, message: "invalid MAC address: zz"},
		{req: "POST /v1.43/containers/create", body: create + `,"MacAddress":"02:00:00:00:00:01","HostConfig":{"NetworkMode":"host"}}`, status: 400, message: "conflicting options: mac-address and the network mode"},
		{req: "POST /v1.51/containers/create", body: create + `,"MacAddress":"02:00:00:00:00:01","NetworkingConfig":{"EndpointsConfig":{"bridge":{"MacAddress":"02:00:00:00:00:02"}}}}`, status: 400, message: "the container-wide MAC address must match"},
		{req: "POST /v1.47/containers/create", body: create + `,"HostConfig":{"Mounts":[{"Type":"image"}]}}`, status: 400, message: `mount type "image" is only supported with API 1.48 and newer`},
		// filters
		{req: "GET /containers/json?filters=x", status: 400, message: "invalid filter"},
		{req: "GET /containers/json?filters=[]", status: 400, message: "invalid filter"},
		{req: `GET /containers/json?filters={"label":1}`, status: 400, message: "invalid filter"},
		{req: `GET /containers/json?filters={"label":[1]}`, status: 400, message: "invalid filter"},
		{req: `GET /containers/json?filters={"colour":["red"]}`, status: 400, message: "invalid filter 'colour'"},
		{req: `GET /v1.55/containers/json?filters={"annotation":["a"]}`, status: 400, message: "invalid filter 'annotation'"},
		{req: `GET /images/json?filters={"status":["a"]}`, status: 400, message: "invalid filter 'status'"},
		{req: `GET /networks?filters={"volume":["a"]}`, status: 400, message: "invalid filter 'volume'"},
		{req: `GET /volumes?filters={"id":["a"]}`, status: 400, message: "invalid filter 'id'"},
		{req: `POST /containers/prune?filters={"name":["a"]}`, status: 400, message: "invalid filter 'name'"},
		{req: `POST /images/prune?filters={"name":["a"]}`, status: 400, message: "invalid filter 'name'"},
		{req: `POST /networks/prune?filters={"name":["a"]}`, status: 400, message: "invalid filter 'name'"},
		{req: `POST /volumes/prune?filters={"name":["a"]}`, status: 400, message: "invalid filter 'name'"},
		{req: `POST /v1.41/volumes/prune?filters={"all":["1"]}`, status: 400, message: "invalid filter 'all'"},
		{req: `POST /build/prune?filters={"name":["a"]}`, status: 400, message: "invalid filter 'name'"},
		{req: `GET /events?filters={`, status: 400, message: "invalid filter"},
		{req: `GET /plugins?filters={`, status: 400, message: "invalid filter"},
		// parameters
		{req: "GET /containers/json?limit=many", status: 400, message: `invalid value for limit: strconv.Atoi: parsing "many": invalid syntax`},
		{req: "GET /containers/json?a=%zz", status: 400, message: `invalid query: invalid URL escape "%zz"`},
		{req: "POST /containers/x/stop?t=1.5", status: 400, message: "invalid value for t: strconv.Atoi"},
		{req: "POST /containers/x/restart?t=99999999999999999999", status: 400, message: "invalid value for t: strconv.Atoi"},
		{req: "POST /containers/x/resize?h=a&w=1", status: 400, message: `invalid resize height "a": `},
		{req: "POST /containers/x/resize?h=1", status: 400, message: `invalid resize width "": `},
		{req: "POST /exec/x/resize?h=1&w=70000", status: 400, message: `invalid resize width "70000": `},
		{req: "POST /containers/x/wait?condition=soon", status: 400, message: `invalid condition: "soon"`},
		{req: "POST /containers/x/rename", status: 400, message: "Neither old nor new names may be empty"},
		{req: "POST /containers/x/start?checkpoint=c", status: 501, message: "checkpoints are not supported"},
		{req: "DELETE /containers/", status: 400, message: "invalid container name or ID: value is empty"},
		{req: "GET /containers/x/logs", status: 400, message: "Bad parameters: you must choose at least one stream"},
		{req: "GET /containers/x/logs?stdout=1&since=yesterday", status: 400, message: `invalid value for "since": failed to parse value as time or duration: "yesterday"`},
		{req: "GET /containers/x/logs?stdout=1&until=1.x", status: 400, message: `invalid value for "until": `},
		{req: "GET /events?since=20&until=10", status: 400, message: "`since` time (20) cannot be after `until` time (10)"},
		{req: "GET /containers/x/stats?stream=1&one-shot=1", status: 400, message: "cannot have stream=true and one-shot=true"},
		{req: "GET /containers/x/archive", status: 400, message: "bad parameter: path"},
		{req: "PUT /containers//archive?path=/", status: 400, message: "bad parameter: name"},
		{req: "GET /system/df?type=planet", status: 400, message: "unknown object type: planet"},
		// references and platforms
		{req: "POST /images/create", status: 400, message: "fromImage cannot be empty"},
		{req: "POST /images/create?fromSrc=-&platform=nintendo64", status: 400, message: `"nintendo64": unknown operating system or architecture`},
		{req: "POST /images/create?fromSrc=-&repo=UPPER", status: 400, message: "invalid reference format"},
		{req: "POST /images/create?fromImage=UPPER", status: 400, message: "invalid reference format: repository name (library/UPPER) must be lowercase"},
		{req: "POST /images/create?fromImage=a%20b", status: 400, message: "invalid reference format"},
		{req: "POST /images/create?fromImage=a&tag=b/c", status: 400, message: "invalid tag format"},
		{req: "POST /images/create?fromImage=a&tag=sha256:12", status: 400, message: "invalid tag format"},
		{req: "POST /images/create?fromImage=a&platform=a/b/c/d", status: 400, message: `"a/b/c/d": `},
		{req: "POST /images/x/tag", status: 400, message: "invalid reference format"},
		{req: "POST /images/x/tag?repo=a@sha256:" + strings.Repeat("a", 64), status: 400, message: "refusing to create a tag with a digest reference"},
		{req: "POST /images/x/tag?repo=sha256&tag=abc", status: 400, message: "refusing to create an ambiguous tag using digest algorithm as name"},
		{req: "POST /images/A/push", status: 400, message: "invalid reference format: repository name (library/A) must be lowercase"},
		{req: "POST /images/x/push?platform=linux", status: 400, message: "failed to parse platform: "},
		{req: `GET /images/x/json?platform={"os":"linux"}`, status: 400, message: "both OS and Architecture must be provided"},
		{req: `GET /images/x/json?platform={"variant":"v7"}`, status: 400, message: "optional platform fields provided, but OS and Architecture are missing"},
		{req: `GET /images/x/json?platform=p&platform=q`, status: 400, message: "multiple platform parameters not supported"},
		{req: `GET /images/x/json?manifests=1&platform={"os":"linux","architecture":"arm64"}`, status: 400, message: "conflicting options: manifests and platform"},
		{req: `GET /images/x/history?platform=x`, status: 400, message: "failed to parse platform: "},
		{req: "DELETE /images/%20", status: 400, message: "image name cannot be blank"},
		{req: "DELETE /images/x?platforms=y", status: 400, message: "failed to parse platform"},
		{req: "GET /distribution/A/json", status: 400, message: "invalid reference format"},
		{req: "GET /images/search?term=x", status: 501, message: "image search is not supported yet"},
		// versions
		{req: "GET /v1.99/info", status: 400, message: "client version 1.99 is too new. Maximum supported API version is 1.56"},
		{req: "GET /v1..2/info", status: 400, message: `invalid API version "1..2"`},
		// what this engine has not
		{req: "GET /swarm", status: 503, message: notManager},
		{req: "GET /services", status: 503, message: notManager},
		{req: "GET /nodes", status: 503, message: notManager},
		{req: "POST /secrets/create", status: 503, message: notManager},
		{req: "DELETE /configs/x", status: 503, message: notManager},
		{req: "GET /tasks/x/logs", status: 503, message: notManager},
		{req: "POST /swarm/leave", status: 503, message: "This node is not part of a swarm"},
		{req: "POST /swarm/init", status: 501, message: "swarm mode is not supported by this engine"},
		{req: "PUT /volumes/x", status: 503, message: "volume update only valid for cluster volumes, but swarm is unavailable"},
		{req: "GET /plugins/x/json", status: 404, message: `plugin "x" not found`},
		{req: "POST /plugins/pull", status: 501, message: "plugins are not supported by this engine"},
		// builds
		{req: "POST /build?version=3", status: 400, message: `invalid version "3"`},
		{req: "POST /build?squash=1", status: 400, message: "squash is only supported with experimental mode"},
		{req: "POST /build?buildargs=[]", status: 400, message: "error reading build args: json: cannot unmarshal array"},
		{req: "POST /build?labels={", status: 400, message: "error reading labels: unexpected end of JSON input"},
		{req: "POST /build?cachefrom=1", status: 400, message: "error reading cache-from"},
		{req: "POST /build?ulimits=x", status: 400, message: "error reading ulimit settings"},
		{req: "POST /build?outputs=x", status: 400, message: "invalid outputs specified"},
		{req: "POST /build?shmsize=big", status: 400, message: "shmsize"},
		{req: "POST /build?isolation=hyperv", status: 400, message: `unsupported isolation: "hyperv"`},
		{req: "POST /build?securityopt=a", status: 400, message: "security options are not supported on linux"},
		{req: "POST /build/cancel", status: 400, message: "build ID not provided"},
		{req: "POST /build/prune?keep-storage=much", status: 400, message: "keep-storage is in bytes and expects an integer, got much"},
		{req: "POST /session", status: 400, message: "no upgrade proto in request"},
		{req: "POST /session", header: "Upgrade: foo", status: 400, message: "protocol foo not supported"},
		{req: "POST /grpc", status: 400, message: "no upgrade proto in request"},
		{req: "POST /commit", status: 400, message: "container is required"},
		{req: "POST /commit?container=x&repo=UPPER", status: 400, message: "invalid reference format"},
		{req: "POST /commit?container=x&repo=a@sha256:" + strings.Repeat("a", 64), status: 400, message: "cannot import digest reference"},
		{req: "POST /commit?container=x", body: "{", status: 400, message: "invalid JSON"},
		{req: "GET /images/x/attestations", status: 501, message: "reading an image's attestations"},
		{req: "GET /containers/x/checkpoints", status: 501, message: "This experimental feature is disabled by default."},
	} {
		f := &fake{}
		method, target, _ := strings.Cut(tc.req, " ")
		var headers []string
		if tc.header != "" {
			headers = append(headers, tc.header)
		}
		w := ask(f, method, strings.NewReplacer(`"`, "%22", "{", "%7B", "}", "%7D", " ", "%20").Replace(target), tc.body, headers...)
		var got struct{ Message string }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Errorf("%s: body is no JSON: %s", tc.req, w.Body)
		}
		if w.Code != tc.status || !strings.HasPrefix(got.Message, tc.message) {
			t.Errorf("%s %.60s\n got %d %s\nwant %d %s", tc.req, tc.body, w.Code, got.Message, tc.status, tc.message)
		}
		if strings.Contains(got.Message, "\n") {
			t.Errorf("%s: the message has more than one line: %q", tc.req, got.Message)
		}
		if call := f.last(); call != "" {
			t.Errorf("%s: the engine was asked %q", tc.req, call)
		}
	}
}

// Every kind of error has its status, and the message arrives as it is.
func TestErrorsOfTheEngine(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
	}{
		{errdefs.NotFound("No such container: x"), 404},
		{errdefs.Conflict("container x is running"), 409},
		{errdefs.Invalid("bad <value>"), 400},
		{errdefs.Unauthorized("unauthorized"), 401},
		{errdefs.Forbidden("forbidden"), 403},
		{errdefs.Unavailable("later"), 503},
		{errdefs.NotImplemented("never"), 501},
		{errors.New("disk on fire"), 500},
	} {
		w := ask(&fake{fail: map[string]error{"ContainerPause": tc.err}}, "POST", "/containers/x/pause", "")
		want := `{"message":"` + tc.err.Error() + `"}` + "\n"
		if w.Code != tc.status || w.Body.String() != want {
			t.Errorf("%v gave %d %s, want %d %s", tc.err, w.Code, w.Body, tc.status, want)
		}
	}
	w := ask(&fake{fail: map[string]error{"ContainerStart": errdefs.NotModified("already started")}}, "POST", "/containers/x/start", "")
	if w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("not modified gave %d %q, want 304 without a body", w.Code, w.Body)
	}
}

// Advice travels beside the message, on one line.
func TestHint(t *testing.T) {
	err := errdefs.Conflict("port 80 is taken").WithHint("stop %s\nor choose another port", "nginx")
	w := ask(&fake{fail: map[string]error{"ContainerStart": err}}, "POST", "/containers/x/start", "")
	if got := w.Header().Get(HintHeader); got != "stop nginx or choose another port" || w.Code != 409 {
		t.Errorf("hint = %q, status %d", got, w.Code)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
