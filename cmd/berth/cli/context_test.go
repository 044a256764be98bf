package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// contextWorld runs the program with a configuration directory that stays from one call to the next.
func contextWorld(t *testing.T) func(args ...string) (int, string, string) {
	dir, env := t.TempDir(), map[string]string{"BERTH_ROOT": t.TempDir()}
	return func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		args = append([]string{"--config", dir, "context"}, args...)
		code := Run(context.Background(), args, Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, func(k string) string { return env[k] })
		return code, strings.TrimSpace(out.String()), strings.TrimSpace(errs.String())
	}
}

func TestContexts(t *testing.T) {
	run := contextWorld(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte("certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args      string
		code      int
		out, errs string
	}{
		{args: "show", out: "default"},
		{args: "create far --description remote --docker host=tcp://far:2376,ca=" + ca, out: "far", errs: `Successfully created context "far"`},
		{args: "create far --docker host=unix:///x", code: 1, errs: `berth: context "far" already exists`},
		{args: "create bad --docker host=ssh://x", code: 1, errs: "berth: berth does not connect over ssh: ssh://x"},
		{args: "create bad --docker nothing", code: 1, errs: `berth: invalid field "nothing" in --docker: must be key=value`},
		{args: "create default --docker host=unix:///x", code: 1, errs: `berth: "default" is a reserved context name`},
		{args: "create copy --from far", out: "copy", errs: `Successfully created context "copy"`},
		{args: "use nowhere", code: 1, errs: `berth: context "nowhere" does not exist`},
		{args: "use far", out: "far", errs: `Current context is now "far"`},
		{args: "show", out: "far"},
		{args: "ls -q", out: "default\ncopy\nfar"},
		{args: "ls --format {{.Name}}={{.Current}}={{.DockerEndpoint}}={{.Description}}", out: "copy=false=tcp://far:2376=\nfar=true=tcp://far:2376=remote"},
		{args: "inspect -f {{.Name}}-{{.Endpoints.docker.Host}}-{{.TLSMaterial.docker}}", out: "far-tcp://far:2376-[ca.pem]"},
		{args: "update far --description near", out: "far", errs: `Successfully updated context "far"`},
		{args: "inspect far -f {{.Metadata.Description}}", out: "near"},
		{args: "rm far", code: 1, errs: `berth: context "far" is in use, set another context or use -f to force remove`},
		{args: "rm default", code: 1, errs: `berth: default: context "default" cannot be removed`},
		{args: "rm -f far copy", out: "far\ncopy"},
		{args: "show", out: "default"},
		{args: "rm far", code: 1, errs: `berth: context "far" does not exist`},
	} {
		code, out, errs := run(strings.Fields(step.args)...)
		if code != step.code || !strings.HasSuffix(out, step.out) || !strings.HasPrefix(errs, step.errs) {
			t.Errorf("context %s: code %d, %q, %q; want %d, %q, %q", step.args, code, out, errs, step.code, step.out, step.errs)
		}
	}
	code, out, _ := run("inspect", "default")
	var all []map[string]any
	if err := json.Unmarshal([]byte(out), &all); code != 0 || err != nil || len(all) != 1 || all[0]["Name"] != "default" {
		t.Errorf("code %d, %v, %s", code, err, out)
	}
}
