package moby

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/berthhq/berth/test/harness"
	buildkit "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/tonistiigi/fsutil"
)

// recipe has two stages: the first has a cache that outlives it and a secret that does not stay.
const recipe = `FROM bb AS made
ARG TURN
RUN --mount=type=cache,target=/cache --mount=type=secret,id=token \
    echo $TURN >> /cache/turns; cp /cache/turns /turns; wc -c < /run/secrets/token > /size
FROM bb
COPY --from=made /turns /size /
CMD ["sh", "-c", "cat /turns /size; ls /run/secrets 2>&1"]
`

// build builds twice through BuildKit's session: the cache mount is there the second time, the secret in no image.
func build(w *harness.World) {
	dir := w.TempDir()
	w.Must(os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(recipe), 0o600))
	kit := kit(w)
	defer kit.Close()
	forget(w, "story:built")
	token := "hush"
	o := buildkit.SolveOpt{
		Session: []session.Attachable{secretsprovider.FromMap(map[string][]byte{"token": []byte(token)})},
		Exports: []buildkit.ExportEntry{{Type: "moby", Attrs: map[string]string{"name": "story:built"}}},
	}
	var ids []string
	for _, turn := range []string{"first", "second"} {
		o.FrontendAttrs = map[string]string{"build-arg:TURN": turn}
		w.Must(solve(w, kit, dir, o))
		img, err := w.API.ImageInspect(w.Ctx(), "story:built")
		w.Must(err)
		ids = append(ids, img.ID)
	}
	if ids[0] == ids[1] {
		w.Errorf("both builds made %s", ids[0])
	}
	if out, _ := w.Result(harness.Spec{Image: "story:built"}); !strings.HasPrefix(out, "first\nsecond\n4\n") || !strings.Contains(out, "No such file") {
		w.Errorf("the image says %q", out)
	}
	o.Session = nil
	o.FrontendAttrs = map[string]string{"build-arg:TURN": "third", "no-cache": ""}
	if err := solve(w, kit, dir, o); err == nil {
		w.Error("a build whose command reads a secret that is not given succeeds")
	}
}

// kit is BuildKit's client through moby's.
func kit(w *harness.World) *buildkit.Client {
	w.Helper()
	c, err := buildkit.New(w.Ctx(), "",
		buildkit.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return w.API.DialHijack(ctx, "/grpc", "h2c", nil)
		}),
		buildkit.WithSessionDialer(func(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
			return w.API.DialHijack(ctx, "/session", proto, meta)
		}))
	w.Must(err)
	return c
}

func solve(w *harness.World, kit *buildkit.Client, dir string, o buildkit.SolveOpt) error {
	w.Helper()
	files, err := fsutil.NewFS(dir)
	w.Must(err)
	o.Frontend = "dockerfile.v0"
	o.LocalMounts = map[string]fsutil.FS{"context": files, "dockerfile": files}
	o.FrontendAttrs["image-resolve-mode"] = "local"
	status := make(chan *buildkit.SolveStatus)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for range status {
		}
	}()
	_, err = kit.Solve(w.Ctx(), nil, o, status)
	<-drained
	return err
}
