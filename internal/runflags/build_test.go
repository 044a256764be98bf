package runflags

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// built reads a command line's flags.
func built(t *testing.T, args ...string) (*Spec, error) {
	t.Helper()
	f := pflag.NewFlagSet("run", pflag.ContinueOnError)
	f.SetInterspersed(false)
	c := New(f)
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	return c.Build(f, "img", []string{"cmd"})
}

func TestFlagsBecomeTheRequest(t *testing.T) {
	dir := t.TempDir()
	env := filepath.Join(dir, "env")
	if err := os.WriteFile(env, []byte("# no\nFROM=file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, tc := range []struct{ flags, want string }{
		{"-e A=b", `"Env":["A=b"]`},
		{"--env-file " + env, `"Env":["FROM=file"]`},
		{"-l a=b", `"Labels":{"a":"b"}`},
		{"-i", `"StdinOnce":true`},
		{"--entrypoint sh", `"Entrypoint":["sh"]`},
		{"--stop-timeout 0", `"StopTimeout":0`},
		{"-v ./x:/y", `"Binds":["` + filepath.Join(dir, "x") + `:/y"]`},
		{"-v /anonymous", `"Volumes":{"/anonymous":{}}`},
		{"--tmpfs /t:size=1m", `"Tmpfs":{"/t":"size=1m"}`},
		{"--mount type=volume,source=v,target=/v,readonly", `"Source":"v","Target":"/v","ReadOnly":true`},
		{"-p 127.0.0.1:8080:80/udp", `"80/udp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]`},
		{"-m 10m --memory-swap -1", `"MemorySwap":-1`},
		{"--cpus 1.5", `"NanoCpus":1500000000`},
		{"--restart on-failure:3", `"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3}`},
		{"--device /dev/null:/dev/x:r", `"PathOnHost":"/dev/null","PathInContainer":"/dev/x","CgroupPermissions":"r"`},
		{"--device vendor.com/gpu=all", `"Driver":"cdi"`},
		{"--security-opt no-new-privileges", `"SecurityOpt":["no-new-privileges"]`},
		{"--no-healthcheck", `"Healthcheck":{"Test":["NONE"]}`},
		{"--health-cmd true --health-retries 2", `"Test":["CMD-SHELL","true"]`},
		{"--ulimit nofile=10:20", `"Name":"nofile","Hard":20,"Soft":10`},
		{"--network n1 --network-alias other", `"Aliases":["other"]`},
		{"--add-host a:1.2.3.4", `"ExtraHosts":["a:1.2.3.4"]`},
	} {
		s, err := built(t, strings.Fields(tc.flags)...)
		if err != nil {
			t.Errorf("%s: %v", tc.flags, err)
			continue
		}
		b, err := json.Marshal(s)
		if err != nil || !strings.Contains(string(b), tc.want) {
			t.Errorf("%s: no %s in %s", tc.flags, tc.want, b)
		}
	}
}

func TestNothingIsSaidWhereNothingWasAsked(t *testing.T) {
	s, err := built(t)
	if err != nil {
		t.Fatal(err)
	}
	if s.Host.Init != nil || s.Config.StopTimeout != nil || s.Config.Healthcheck != nil || s.Config.Entrypoint != nil || s.Host.Memory != 0 {
		t.Errorf("%+v, %+v", s.Config, s.Host)
	}
	if !s.Config.AttachStdout || !s.Config.AttachStderr || s.Config.AttachStdin {
		t.Errorf("streams %+v", s.Config)
	}
}

func TestFlagsThatAreRefused(t *testing.T) {
	for _, tc := range []struct{ flags, names string }{
		{"--rm --restart always", "--restart and --rm"},
		{"--no-healthcheck --health-cmd x", "conflicts"},
		{"--health-retries -1", "--health-retries"},
		{"--health-interval -1s", "--health-interval"},
		{"--device /dev/x:y:rwz", "/dev/x:y:rwz"},
		{"--security-opt soup", "soup"},
		{"--security-opt seccomp=/nosuch", "/nosuch"},
		{"-p 1-3:1-2", "1-3"},
		{"--dns soup", "soup"},
		{"--pid soup", "--pid"},
		{"-a soup", "soup"},
		{"-m soup", "soup"},
	} {
		if _, err := built(t, strings.Fields(tc.flags)...); err == nil || !strings.Contains(err.Error(), tc.names) {
			t.Errorf("%s: %v", tc.flags, err)
		}
	}
}
