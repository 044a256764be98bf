package stories

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	buildkit "github.com/moby/buildkit/client"
	gatewayapi "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"
	"github.com/tonistiigi/fsutil"
)

// buildContext is the archive of a context: a Dockerfile and further files.
func buildContext(w *harness.World, dockerfile string, more ...harness.File) []byte {
	return harness.Tar(w.T, append([]harness.File{{Name: "Dockerfile", Body: []byte(dockerfile)}}, more...)...)
}

// account is what a classic build told.
type account struct {
	text string // all "stream"
	id   string // of "aux"
	err  *jsonstream.Error
}

// classicBuild builds as a client does that does not know BuildKit.
func classicBuild(w *harness.World, archive []byte, o client.ImageBuildOptions) account {
	w.Helper()
	res, err := w.API.ImageBuild(w.Ctx(), bytes.NewReader(archive), o)
	if err != nil {
		return account{err: &jsonstream.Error{Message: err.Error()}}
	}
	defer res.Body.Close()
	var a account
	for dec := json.NewDecoder(res.Body); ; {
		var m jsonstream.Message
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return a
		} else if err != nil {
			w.Fatal(err)
		}
		a.text += m.Stream
		if m.Error != nil {
			a.err = m.Error
		}
		if m.Aux != nil {
			var aux struct{ ID string }
			w.Must(json.Unmarshal(*m.Aux, &aux))
			a.id = aux.ID
		}
	}
}

func TestBuildAsOldClientsDo(t *testing.T) {
	w := harness.New(t)
	w.Part("steps, cache and image", classicSteps)
	w.Part("contexts that look the same", classicAlike)
	w.Part("failures", classicFailures)
	w.Part("hostile contexts", classicHostile)
	w.Part("on a network that somebody made", classicNetwork)
}

// ids are what differs from build to build.
var ids = regexp.MustCompile(`[0-9a-f]{12}`)

func classicSteps(w *harness.World) {
	archive := buildContext(w, "FROM bb AS one\nARG V=1\nRUN echo made $V | tee /made\nFROM bb\nENV E=1\nCOPY --from=one /made /made\nCOPY . /ctx/\nCMD [\"cat\", \"/made\"]\n",
		harness.File{Name: ".dockerignore", Body: []byte("no")}, harness.File{Name: "no"}, harness.File{Name: "yes"})
	value := "7"
	o := client.ImageBuildOptions{Tags: []string{"classic:1"}, BuildArgs: map[string]*string{"V": &value}, Remove: true}
	first := classicBuild(w, archive, o)
	want := `Step 1/8 : FROM bb AS one
 ---> ID
Step 2/8 : ARG V=1
 ---> Running in ID
 ---> Removed intermediate container ID
 ---> ID
Step 3/8 : RUN echo made $V | tee /made
 ---> Running in ID
made 7
 ---> Removed intermediate container ID
 ---> ID
Step 4/8 : FROM bb
 ---> ID
Step 5/8 : ENV E=1
 ---> Running in ID
 ---> Removed intermediate container ID
 ---> ID
Step 6/8 : COPY --from=one /made /made
 ---> ID
Step 7/8 : COPY . /ctx/
 ---> ID
Step 8/8 : CMD ["cat", "/made"]
 ---> Running in ID
 ---> Removed intermediate container ID
 ---> ID
Successfully built ID
Successfully tagged classic:1
`
	if got := ids.ReplaceAllString(first.text, "ID"); got != want || first.err != nil {
		w.Errorf("the first build says %q (%v),\nwant %q", got, first.err, want)
	}
	again := classicBuild(w, archive, o)
	if n := strings.Count(again.text, " ---> Using cache\n"); n != 6 {
		w.Errorf("of 6 steps %d are said to come from the cache: %s", n, again.text)
	}
	if again.id != first.id || !strings.HasPrefix(first.id, "sha256:") {
		w.Errorf("the same build gives %q and %q", first.id, again.id)
	}
	classicBuild(w, buildContext(w, "FROM bb\nONBUILD RUN echo triggered"), client.ImageBuildOptions{Tags: []string{"trigger:1"}})
	if a := classicBuild(w, buildContext(w, "FROM trigger:1"), client.ImageBuildOptions{}); !strings.Contains(a.text, "# Executing 1 build trigger\ntriggered\n") {
		w.Errorf("of a base image's trigger the build says %q, %v", a.text, a.err)
	}
	o.CacheFrom = []string{"nosuch:1"}
	if from := classicBuild(w, archive, o); strings.Contains(from.text, "Using cache") || from.err != nil {
		w.Errorf("with the cache of an image that is not there: %+v", from)
	}
	o.CacheFrom = append(o.CacheFrom, "classic:1")
	if from := classicBuild(w, archive, o); strings.Count(from.text, "Using cache") != 6 {
		w.Errorf("with the cache of an image that is there: %+v", from)
	}
	if out := w.Output(harness.Spec{Image: "classic:1"}); out != "made 7\n" {
		w.Errorf("the image's command prints %q", out)
	}
	if out := w.Output(harness.Spec{Image: first.id, Cmd: []string{"ls", "/ctx"}}); out != "Dockerfile\nyes\n" {
		w.Errorf("of the context there is %q", out)
	}
}

// classicAlike builds from contexts whose files differ in nothing but what is in them.
func classicAlike(w *harness.World) {
	for _, body := range []string{"one", "two"} {
		classicBuild(w, buildContext(w, "FROM bb\nCOPY f /f\n", harness.File{Name: "f", Body: []byte(body)}), client.ImageBuildOptions{Tags: []string{"alike:1"}})
		if out := w.Output(harness.Spec{Image: "alike:1", Cmd: []string{"cat", "/f"}}); out != body {
			w.Errorf("of a file with %q the image has %q", body, out)
		}
	}
}

func classicFailures(w *harness.World) {
	for _, tc := range []struct {
		dockerfile, message string
		code                int
	}{
		{"FROM bb\nRUN echo before; exit 3", "The command '/bin/sh -c echo before; exit 3' returned a non-zero code: 3", 3},
		{"FROM bb\nRUN [\"nosuch\"]", `failed to create task for container: exec: "nosuch": executable file not found in $PATH`, 0},
		{"FROM bb\nENV A=1\nCOPY nope /x", "COPY failed: file not found in build context or excluded by .dockerignore: stat nope: file does not exist", 0},
		{"FROM bb\nCOPY ../../etc/shadow /x", "COPY failed: forbidden path outside the build context: ../../etc/shadow ()", 0},
		{"FROM scratch", "No image was generated. Is your Dockerfile empty?", 0},
		{"FROM bb\nUSER nobody-knows\nRUN true", "unable to find user nobody-knows: no matching entries in passwd file", 0},
		{"FROOM bb", "dockerfile parse error on line 1: unknown instruction: FROOM (did you mean FROM?)", 0},
		{"", "the Dockerfile (Dockerfile) cannot be empty", 0},
	} {
		a := classicBuild(w, buildContext(w, tc.dockerfile), client.ImageBuildOptions{Remove: true})
		if a.err == nil || !strings.HasSuffix(a.err.Message, tc.message) || a.err.Code != tc.code || strings.Contains(a.text, "Successfully") {
			w.Errorf("%q gives %+v, want %q with code %d; it said %s", tc.dockerfile, a.err, tc.message, tc.code, a.text)
		}
	}
}

// No context makes files outside of its own, or shows the machine's.
func classicHostile(w *harness.World) {
	mark := filepath.Join(w.Layout.Root, "outside")
	w.Must(os.WriteFile(mark, []byte("secret"), 0o600))
	for name, files := range map[string][]harness.File{
		"a link to the machine's file":       {harness.Symlink("x", mark)},
		"a relative link out of the context": {harness.Symlink("x", "../../outside")},
		"a file through a link":              {harness.Symlink("d", w.Layout.Root), {Name: "d/outside", Body: []byte("changed")}, {Name: "x"}},
		"a name with ..":                     {{Name: "../../outside", Body: []byte("changed")}, {Name: "x"}},
		"an absolute name":                   {{Name: mark, Body: []byte("changed")}, {Name: "x"}},
	} {
		a := classicBuild(w, buildContext(w, "FROM bb\nCOPY x* /c/\nRUN cat /c/x || true", files...), client.ImageBuildOptions{})
		if strings.Contains(a.text, "secret") {
			w.Errorf("%s shows the machine's file: %s", name, a.text)
		}
		if b, err := os.ReadFile(mark); err != nil || string(b) != "secret" {
			w.Errorf("%s changed the machine's file: %q, %v", name, b, err)
		}
	}
	for name, archive := range map[string][]byte{
		"no archive":          []byte("FROM bb"),
		"half an archive":     buildContext(w, "FROM bb\nCOPY . /c\n", harness.File{Name: "x", Body: make([]byte, 4096)})[:2500],
		"a device as context": harness.Tar(w.T, harness.File{Name: "Dockerfile", Type: tar.TypeChar}),
	} {
		if a := classicBuild(w, archive, client.ImageBuildOptions{}); a.err == nil || strings.Contains(a.text, "Successfully") {
			w.Errorf("%s gives %+v", name, a)
		}
	}
	if strings.Contains(w.Log.String(), "panicked") {
		w.Error("a context makes the engine panic")
	}
	a := classicBuild(w, buildContext(w, "FROM bb"), client.ImageBuildOptions{Dockerfile: "../../outside"})
	if a.err == nil || !strings.Contains(a.err.Message, "forbidden path outside the build context: ../../outside") {
		w.Errorf("a Dockerfile out of the context gives %+v", a.err)
	}
}

func classicNetwork(w *harness.World) {
	_, err := w.API.NetworkCreate(w.Ctx(), "built-on", client.NetworkCreateOptions{Driver: "bridge"})
	w.Must(err)
	peer := w.Run(harness.Spec{Name: "peer", Cmd: []string{"sleep", "100"}, Conf: func(_ *container.Config, h *container.HostConfig) { h.NetworkMode = "built-on" }})
	o := client.ImageBuildOptions{NetworkMode: "built-on"}
	archive := buildContext(w, "FROM bb\nRUN nslookup -type=a peer 127.0.0.11 | tail -n 2")
	a := classicBuild(w, archive, o)
	addr := w.Inspect(peer).NetworkSettings.Networks["built-on"].IPAddress.String()
	if a.err != nil || !strings.Contains(a.text, addr) {
		w.Errorf("a command of the build finds %q, %+v; want %s", a.text, a.err, addr)
	}
	w.Remove(peer)
	_, err = w.API.NetworkRemove(w.Ctx(), "built-on", client.NetworkRemoveOptions{})
	w.Must(err)
}

// kit is a client of BuildKit as the docker command line is one.
func kit(w *harness.World) *buildkit.Client {
	c, err := buildkit.New(w.Ctx(), "",
		buildkit.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return w.API.DialHijack(ctx, "/grpc", "h2c", nil)
		}),
		buildkit.WithSessionDialer(func(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
			return w.API.DialHijack(ctx, "/session", proto, meta)
		}))
	w.Must(err)
	w.Cleanup(func() { c.Close() })
	return c
}

// kitBuild builds a directory's Dockerfile and gives the names of what came from the cache, and all output.
func kitBuild(ctx context.Context, w *harness.World, dir string, o buildkit.SolveOpt) (cached, output string, err error) {
	files, err := fsutil.NewFS(dir)
	w.Must(err)
	o.Frontend = "dockerfile.v0"
	o.LocalMounts = map[string]fsutil.FS{"context": files, "dockerfile": files}
	status := make(chan *buildkit.SolveStatus)
	told := make(chan struct{})
	go func() {
		defer close(told)
		for s := range status {
			for _, v := range s.Vertexes {
				if v.Cached {
					cached += v.Name + "\n"
				}
			}
			for _, l := range s.Logs {
				output += string(l.Data)
			}
		}
	}()
	_, err = kit(w).Solve(ctx, nil, o, status)
	<-told
	return cached, output, err
}

func image(name string) []buildkit.ExportEntry {
	return []buildkit.ExportEntry{{Type: "moby", Attrs: map[string]string{"name": name}}}
}

// dockerfile makes a context of a Dockerfile.
func dockerfile(w *harness.World, text string) string {
	dir := w.TempDir()
	w.Must(os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o600))
	return dir
}

func TestBuildAsBuildxDoes(t *testing.T) {
	w := harness.New(t)
	dir := dockerfile(w, `FROM bb AS one
ARG V=1
RUN --mount=type=secret,id=s test "$(cat /run/secrets/s)" = hush
RUN --mount=type=cache,target=/cache date > /cache/$V; ls /cache > /seen
RUN --network=none ls /sys/class/net > /nets
COPY <<EOF /here
value $V
EOF
FROM bb
COPY --from=one --chmod=600 /seen /here /nets /
LABEL a=b
`)
	secret := secretsprovider.FromMap(map[string][]byte{"s": []byte("hush")})
	o := buildkit.SolveOpt{Exports: image("kit:1"), Session: []session.Attachable{secret}, FrontendAttrs: map[string]string{"build-arg:V": "x"}}
	if _, out, err := kitBuild(w.Ctx(), w, dir, o); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out := w.Output(harness.Spec{Image: "kit:1", Cmd: []string{"cat", "/seen", "/here", "/nets"}}); out != "x\nvalue x\nlo\n" {
		t.Errorf("in the image there is %q", out)
	}
	cached, _, err := kitBuild(w.Ctx(), w, dir, o)
	if n := strings.Count(cached, " RUN "); err != nil || n != 3 {
		t.Errorf("of 3 commands %d come from the cache (%v): %s", n, err, cached)
	}
	o.FrontendAttrs["build-arg:V"] = "y" // the cache mount lives on
	w.Must(errorOf(kitBuild(w.Ctx(), w, dir, o)))
	if out := w.Output(harness.Spec{Image: "kit:1", Cmd: []string{"cat", "/seen"}}); out != "x\ny\n" {
		t.Errorf("the cache mount holds %q", out)
	}
	to := t.TempDir()
	o.Exports = []buildkit.ExportEntry{{Type: "local", OutputDir: to}}
	w.Must(errorOf(kitBuild(w.Ctx(), w, dir, o)))
	if b, err := os.ReadFile(filepath.Join(to, "here")); err != nil || string(b) != "value y\n" {
		t.Errorf("the local output holds %q, %v", b, err)
	}
	w.Part("a command that fails", kitFailure)
	w.Part("prune", kitPrune)
}

func errorOf(_, out string, err error) error {
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func kitFailure(w *harness.World) {
	_, out, err := kitBuild(w.Ctx(), w, dockerfile(w, "FROM bb\nRUN echo before; exit 7\n"), buildkit.SolveOpt{})
	var exit *gatewayapi.ExitError
	if !errors.As(err, &exit) || exit.ExitCode != 7 || out != "before\n" {
		w.Errorf("the build says %q and ends with %v", out, err)
	}
}

func kitPrune(w *harness.World) {
	_, err := w.API.ImageRemove(w.Ctx(), "kit:1", client.ImageRemoveOptions{})
	w.Must(err)
	_, err = w.API.BuildCachePrune(w.Ctx(), client.BuildCachePruneOptions{All: true})
	w.Must(err)
	du, err := w.API.DiskUsage(w.Ctx(), client.DiskUsageOptions{BuildCache: true, Verbose: true})
	w.Must(err)
	for _, r := range du.BuildCache.Items {
		if !r.Shared {
			w.Errorf("after a prune of all there is %+v", r)
		}
	}
}
