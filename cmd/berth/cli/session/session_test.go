package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestEachDoesAllAndTellsOfEveryFailure(t *testing.T) {
	var out bytes.Buffer
	s := New(Streams{Out: &out}, nil)
	err := s.Each([]string{"a", "bad", "b", "worse", "silent"}, func(n string) (string, error) {
		switch n {
		case "bad", "worse":
			return "", errors.New("no " + n)
		case "silent":
			return "", nil
		}
		return n, nil
	})
	if out.String() != "a\nb\n" || err == nil || err.Error() != "no bad\nno worse" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestInspect(t *testing.T) {
	objects := func(n string) (Object, error) {
		if n == "ghost" {
			return Object{}, errors.New("no ghost")
		}
		return Object{Raw: json.RawMessage(`{"Name":"` + n + `","Big":12345678901234567890,"Text":"<&>"}`), Typed: struct{ Name string }{n}}, nil
	}
	for format, want := range map[string]string{
		"":                "[\n    {\n        \"Name\": \"a\",\n        \"Big\": 12345678901234567890,\n        \"Text\": \"<&>\"\n    }\n]\n",
		"json":            `{"Name":"a","Big":12345678901234567890,"Text":"<&>"}` + "\n",
		"{{.Name}}":       "a\n",
		"{{.Big}}":        "12345678901234567890\n", // only in what was sent
		"{{json .Name}}!": "\"a\"!\n",
	} {
		var out bytes.Buffer
		err := New(Streams{Out: &out}, nil).Inspect([]string{"a", "ghost"}, format, objects)
		if out.String() != want || err == nil || err.Error() != "no ghost" {
			t.Errorf("%s: %q, %v", format, out.String(), err)
		}
	}
	for _, format := range []string{"{{", "{{.Soup}}"} {
		var out bytes.Buffer
		err := New(Streams{Out: &out}, nil).Inspect([]string{"a"}, format, objects)
		if err == nil || !strings.Contains(err.Error(), "template parsing error") || out.Len() > 0 {
			t.Errorf("%s: %q, %v", format, out.String(), err)
		}
	}
}

func TestConfirm(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "Y\n": true, "yes\n": true, "n\n": false, "": false, "\n": false} {
		var out bytes.Buffer
		if got := New(Streams{In: strings.NewReader(answer), Out: &out}, nil).Confirm("Sure?"); got != want || out.String() != "Sure? [y/N] " {
			t.Errorf("%q: %v, %q", answer, got, out.String())
		}
	}
}
