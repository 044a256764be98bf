package changes

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

func TestApply(t *testing.T) {
	base := func() *container.Config {
		return &container.Config{Env: []string{"PATH=/bin", "A=1"}, Cmd: []string{"old"}, WorkingDir: "/srv", OnBuild: []string{"USER x"}}
	}
	for lines, want := range map[string]string{
		`CMD ["a", "b"]`:                     `{"Cmd":["a","b"]}`,
		"CMD echo hi":                        `{"Cmd":["/bin/sh","-c","echo hi"]}`,
		"SHELL [\"/bin/ash\",\"-x\"]\nCMD e": `{"Cmd":["/bin/ash","-x","e"],"Shell":["/bin/ash","-x"]}`,
		`ENTRYPOINT ["run"]`:                 `{"Entrypoint":["run"],"Cmd":null}`,
		"CMD [\"x\"]\nENTRYPOINT [\"run\"]":  `{"Entrypoint":["run"],"Cmd":["x"]}`,
		"ENV PATH=$PATH:/opt B=two":          `{"Env":["PATH=/bin:/opt","A=1","B=two"]}`,
		"env A 2\nLABEL v=${A} \"k x\"=y":    `{"Env":["PATH=/bin","A=2"],"Labels":{"v":"2","k x":"y"}}`,
		"ENV P=\"80 443/udp\"\nEXPOSE $P 9000-9001": `{"Env":["PATH=/bin","A=1","P=80 443/udp"],
			"ExposedPorts":{"80/tcp":{},"443/udp":{},"9000/tcp":{},"9001/tcp":{}}}`,
		"ONBUILD RUN make":                   `{"OnBuild":["USER x","RUN make"]}`,
		"USER me:us":                         `{"User":"me:us"}`,
		`VOLUME ["/a", "/b c"]`:              `{"Volumes":{"/a":{},"/b c":{}}}`,
		"WORKDIR sub\nWORKDIR ../$A":         `{"WorkingDir":"/srv/1"}`,
		"WORKDIR /x//y/":                     `{"WorkingDir":"/x/y"}`,
		"HEALTHCHECK NONE":                   `{"Healthcheck":{"Test":["NONE"]}}`,
		"HEALTHCHECK --interval=5s CMD true": `{"Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":5000000000}}`,
		"STOPSIGNAL SIGQUIT":                 `{"StopSignal":"SIGQUIT"}`,
		"# nothing\nUSER a\\\nb":             `{"User":"ab"}`,
	} {
		from := base()
		got, err := Apply(from, strings.Split(lines, "\n"))
		if err != nil {
			t.Errorf("%s: %v", lines, err)
			continue
		}
		expected := copied(base())
		if err := json.Unmarshal([]byte(want), expected); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, expected) {
			t.Errorf("%s:\n got %+v\nwant %+v", lines, got, expected)
		}
		if !reflect.DeepEqual(from, base()) {
			t.Errorf("%s changed what it was given: %+v", lines, from)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	for lines, want := range map[string]string{
		"RUN true":                           "RUN is not a valid change command",
		"USER x\nFROM scratch":               "FROM is not a valid change command",
		"ENV":                                "ENV requires at least one argument",
		"EXPOSE http":                        "invalid",
		"STOPSIGNAL SIGNOTHING":              "invalid signal: SIGNOTHING",
		`VOLUME [""]`:                        "VOLUME specified can not be an empty string",
		"ONBUILD ONBUILD USER x":             "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
		"WORKDIR $NOTHING":                   "cannot normalize nothing",
		"HEALTHCHECK --interval=never CMD x": "never",
	} {
		_, err := Apply(nil, strings.Split(lines, "\n"))
		if errdefs.KindOf(err) != errdefs.KindInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", lines, err, want)
		}
	}
}
