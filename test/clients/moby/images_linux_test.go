package moby

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/berthhq/berth/test/harness"
	"github.com/containerd/errdefs"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client"
)

// saved takes two images through a pipe into the engine that they come from, then removes them and loads them again.
func saved(w *harness.World) {
	hello := harness.Layer(w.T, harness.File{Name: "hello", Body: []byte("hello\n")})
	img := harness.Image(w.T, harness.Busybox(w.T), func(c *v1.Config) { c.Cmd = []string{"cat", "/hello"} }, hello)
	w.Take("saved", img)
	w.Tag("saved", "saved:two")
	names := []string{"saved:latest", "saved:two", "bb:latest"}
	forget(w, names[:2]...)
	from, err := w.API.ImageSave(w.Ctx(), names)
	w.Must(err)
	var archive bytes.Buffer
	loads(w, io.TeeReader(from, &archive), names)
	w.Must(from.Close())
	before, err := w.API.ImageInspect(w.Ctx(), "saved")
	w.Must(err)
	for _, name := range names[:2] {
		_, err := w.API.ImageRemove(w.Ctx(), name, client.ImageRemoveOptions{})
		w.Must(err)
	}
	if _, err := w.API.ImageInspect(w.Ctx(), "saved"); !errdefs.IsNotFound(err) {
		// The registry's name is left; its own tag must be gone.
		w.Errorf("removed, and still: %v", err)
	}
	loads(w, &archive, names)
	after, err := w.API.ImageInspect(w.Ctx(), "saved:two")
	w.Must(err)
	if after.ID != before.ID || strings.Join(after.RootFS.Layers, " ") != strings.Join(before.RootFS.Layers, " ") {
		w.Errorf("saved as %s, loaded as %s", before.ID, after.ID)
	}
	if out := w.Output(harness.Spec{Image: "saved:two"}); out != "hello\n" {
		w.Errorf("the loaded image says %q", out)
	}
}

// loads loads an archive, and must be told of every name in it.
func loads(w *harness.World, archive io.Reader, names []string) {
	w.Helper()
	res, err := w.API.ImageLoad(w.Ctx(), archive)
	w.Must(err)
	defer res.Close()
	said, err := io.ReadAll(res)
	w.Must(err)
	for _, name := range names {
		if !strings.Contains(string(said), `Loaded image: `+name) {
			w.Errorf("load does not tell of %s: %s", name, said)
		}
	}
}

// guard lets only those who know the password through.
func guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if user, pass, ok := r.BasicAuth(); !ok || user != "ann" || pass != "secret" {
			out.Header().Set("WWW-Authenticate", `Basic realm="a story"`)
			out.Header().Set("Content-Type", "application/json")
			out.WriteHeader(http.StatusUnauthorized)
			io.WriteString(out, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
			return
		}
		h.ServeHTTP(out, r)
	})
}

// private logs in to a registry that wants a password, pushes to it and pulls from it; nobody else may.
func private(w *harness.World) {
	at := harness.NewRegistry(w.T, guard).Addr
	_, err := w.API.RegistryLogin(w.Ctx(), client.RegistryLoginOptions{Username: "ann", Password: "secret", ServerAddress: at})
	if err != nil {
		w.Errorf("login: %v", err)
	}
	_, err = w.API.RegistryLogin(w.Ctx(), client.RegistryLoginOptions{Username: "ann", Password: "wrong", ServerAddress: at})
	if err == nil || !strings.Contains(err.Error(), "401 Unauthorized") {
		w.Errorf("login with a wrong password: %v", err)
	}
	ref := at + "/ann/private:1"
	w.Tag("bb", ref)
	forget(w, ref)
	good, bad := auth(w, "secret", at), auth(w, "wrong", at)
	for name, a := range map[string]string{"without a password": auth(w, "", at), "with a wrong one": bad} {
		if err := push(w, ref, a); err == nil || !strings.Contains(err.Error(), "authentication required") && !strings.Contains(err.Error(), "no basic auth credentials") && !strings.Contains(err.Error(), "401") {
			w.Errorf("push %s: %v", name, err)
		}
	}
	if err := push(w, ref, good); err != nil {
		w.Fatalf("push: %v", err)
	}
	img, err := w.API.ImageInspect(w.Ctx(), ref)
	w.Must(err)
	about, err := w.API.DistributionInspect(w.Ctx(), ref, client.DistributionInspectOptions{EncodedRegistryAuth: good})
	if err != nil || about.Descriptor.Digest.String() != img.ID {
		w.Errorf("the registry has %s, pushed was %s (%v)", about.Descriptor.Digest, img.ID, err)
	}
	if _, err := w.API.DistributionInspect(w.Ctx(), ref, client.DistributionInspectOptions{}); err == nil {
		w.Error("the registry is asked without a password")
	}
	_, err = w.API.ImageRemove(w.Ctx(), ref, client.ImageRemoveOptions{})
	w.Must(err)
	if err := pull(w, ref, client.ImagePullOptions{}); err == nil {
		w.Error("pulled without a password")
	}
	w.Must(pull(w, ref, client.ImagePullOptions{RegistryAuth: good}))
	_, err = w.API.ImageRemove(w.Ctx(), ref, client.ImageRemoveOptions{})
	w.Must(err)
	if err := pull(w, at+"/ann/nosuch:1", client.ImagePullOptions{RegistryAuth: good}); err == nil || !strings.Contains(err.Error(), "not found") {
		w.Errorf("pull of what is not there: %v", err)
	}
}

// auth is the header of a request that a registry is asked with.
func auth(w *harness.World, password, at string) string {
	w.Helper()
	a := registry.AuthConfig{ServerAddress: at}
	if password != "" {
		a.Username, a.Password = "ann", password
	}
	b, err := json.Marshal(a)
	w.Must(err)
	return base64.URLEncoding.EncodeToString(b)
}

// push gives the error that the stream ends with.
func push(w *harness.World, ref, auth string) error {
	res, err := w.API.ImagePush(w.Ctx(), ref, client.ImagePushOptions{RegistryAuth: auth})
	if err != nil {
		return err
	}
	return res.Wait(w.Ctx())
}

func pull(w *harness.World, ref string, o client.ImagePullOptions) error {
	res, err := w.API.ImagePull(w.Ctx(), ref, o)
	if err != nil {
		return err
	}
	return res.Wait(w.Ctx())
}
