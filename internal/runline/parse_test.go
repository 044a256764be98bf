package runline

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestALineBecomesARequest(t *testing.T) {
	at := Place{Home: "/home/kim", Dir: "/home/kim/site"}
	for _, tc := range []struct{ line, want string }{
		{"docker run nginx", `"Image":"nginx"`},
		{"$ sudo docker run -d --name web nginx", `"Name":"web"`},
		{"docker container run \\\n  -e 'A=b c' \\\n  nginx", `"Env":["A=b c"]`},
		{"docker run -e A=\"it's \\\"so\\\"\" nginx", `"Env":["A=it's \"so\""]`},
		{`docker run -p 127.0.0.1:8080:80 nginx`, `"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]`},
		{`docker run -v ~/src:/src nginx`, `"Binds":["/home/kim/src:/src"]`},
		{`docker run -v "$PWD":/app nginx`, `"Binds":["/home/kim/site:/app"]`},
		{`docker run -v $(pwd)/x:/app:ro nginx`, `"Binds":["/home/kim/site/x:/app:ro"]`},
		{`docker run -v ./x:/app nginx`, `"Binds":["/home/kim/site/x:/app"]`},
		{`docker run --mount type=bind,src=./x,dst=/app nginx`, `"Source":"/home/kim/site/x"`},
		{`docker run nginx sh -c "echo hi > /tmp/x; sleep 1"`, `"Cmd":["sh","-c","echo hi \u003e /tmp/x; sleep 1"]`},
		{`/usr/bin/docker run nginx # the web server`, `"Image":"nginx"`},
		{`docker create --net-alias www --network n nginx`, `"Aliases":["www"]`},
		{`docker run nginx -v ls`, `"Cmd":["-v","ls"]`},
		{`docker run -it -a stdin alpine`, `"AttachStdin":false`},
	} {
		l, err := ParseRun(tc.line, at)
		if err != nil {
			t.Errorf("%s: %v", tc.line, err)
			continue
		}
		b, err := json.Marshal(l)
		if err != nil || !strings.Contains(string(b), tc.want) {
			t.Errorf("%s: no %s in %s", tc.line, tc.want, b)
		}
	}
}

func TestWhatALineCannotBringIsTold(t *testing.T) {
	t.Setenv("TOKEN", "secret of this process")
	for _, tc := range []struct {
		line string
		want string
		code Code
	}{
		{"docker run -e TOKEN nginx", "--env TOKEN", CodeEnv},
		{"docker run -e T=$TOKEN nginx", "$TOKEN", CodeVariable},
		{"docker run -e T=$(cat /etc/hostname) nginx", "$(cat /etc/hostname)", CodeVariable},
		{"T=1 docker run nginx", "T=1", CodeVariable},
		{"docker run --env-file /etc/hostname nginx", "--env-file /etc/hostname", CodeFile},
		{"docker run --label-file /etc/hostname nginx", "--label-file /etc/hostname", CodeFile},
		{"docker run --security-opt seccomp=/etc/hostname nginx", "--security-opt seccomp=/etc/hostname", CodeFile},
		{"docker run --security-opt seccomp:/etc/hostname nginx", "--security-opt seccomp:/etc/hostname", CodeFile},
		{"docker run -v ./x:/y nginx", "--volume ./x:/y", CodeRelative},
		{"docker run --mount type=bind,SRC=./x,dst=/y nginx", "--mount type=bind,SRC=./x,dst=/y", CodeRelative},
		{"docker run --cidfile /tmp/x nginx", "--cidfile /tmp/x", CodeTerminal},
	} {
		l, err := ParseRun(tc.line, Place{})
		if err != nil {
			t.Errorf("%s: %v", tc.line, err)
			continue
		}
		if !slices.ContainsFunc(l.Left, func(x Left) bool { return x.Text == tc.want && x.Code == tc.code && x.Why != "" }) {
			t.Errorf("%s: left %+v", tc.line, l.Left)
		}
		if b, _ := json.Marshal(l.Create); strings.Contains(string(b), "secret") {
			t.Errorf("%s: this process's environment leaked: %s", tc.line, b)
		}
	}
}

func TestLinesThatAreRefused(t *testing.T) {
	for _, tc := range []struct{ line, names string }{
		{"", "one command"},
		{"docker ps", "docker ps"},
		{"rm -rf /", "rm -rf"},
		{"docker run", "no image"},
		{"docker run --name x", "no image"},
		{"docker run nginx | tee x", "one command"},
		{"docker run nginx; reboot", "one command"},
		{"docker run nginx > x", "one command"},
		{"docker run nginx &", "one command"},
		{"docker run 'nginx", "not a shell's"},
		{"docker run --no-such-flag nginx", "--no-such-flag"},
		{"docker run -p 99999999:80 nginx", "99999999"},
		{"docker run -p 1-65535:1-65535 -p 1-65535:1-65535 nginx", "more than"},
		{"docker run --expose 1-65535 --expose 1-65535/udp nginx", "more than"},
		{"docker run " + strings.Repeat("x", maxLine), "bytes"},
	} {
		if _, err := ParseRun(tc.line, Place{}); err == nil || !strings.Contains(err.Error(), tc.names) {
			t.Errorf("%.60s: %v", tc.line, err)
		}
	}
}
