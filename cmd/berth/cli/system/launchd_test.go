package system

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// readPlist takes a property list as strictly as plutil -lint: nothing but the elements that are known, keys and values in
// pairs, no key twice, no text between them.
func readPlist(text string) (any, error) {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		if e, ok := t.(xml.StartElement); ok {
			if e.Name.Local != "plist" || len(e.Attr) != 1 || e.Attr[0].Value != "1.0" {
				return nil, fmt.Errorf("the root is %v", e)
			}
			break
		}
	}
	all, err := values(d)
	if err != nil || len(all) != 1 {
		return nil, fmt.Errorf("%d values: %w", len(all), err)
	}
	for { // nothing may follow
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all[0], nil
		}
		if c, ok := t.(xml.CharData); err != nil || !ok || strings.TrimSpace(string(c)) != "" {
			return nil, fmt.Errorf("after the list: %v, %v", t, err)
		}
	}
}

// key is a value that only a dict may have.
type key string

// values are those up to the end of the element that was begun.
func values(d *xml.Decoder) (all []any, err error) {
	for {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.EndElement:
			return all, nil
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return nil, fmt.Errorf("text %q between elements", t)
			}
		case xml.StartElement:
			v, err := value(d, t)
			if err != nil {
				return nil, err
			}
			all = append(all, v)
		}
	}
}

func value(d *xml.Decoder, e xml.StartElement) (any, error) {
	var text string
	switch e.Name.Local {
	case "string", "key":
		if err := d.DecodeElement(&text, &e); err != nil {
			return nil, err
		}
		if e.Name.Local == "key" {
			return key(text), nil
		}
		return text, nil
	case "true", "false":
		return e.Name.Local == "true", d.Skip()
	}
	in, err := values(d)
	if err != nil {
		return nil, err
	}
	switch e.Name.Local {
	case "array":
		return in, nil
	case "dict":
		return dict(in)
	}
	return nil, fmt.Errorf("element %s", e.Name.Local)
}

func dict(in []any) (map[string]any, error) {
	out := map[string]any{}
	for i := 0; i < len(in); i += 2 {
		k, ok := in[i].(key)
		if _, twice := out[string(k)]; !ok || twice || i+1 == len(in) {
			return nil, fmt.Errorf("key %v", in[i])
		}
		if _, isKey := in[i+1].(key); isKey {
			return nil, fmt.Errorf("key %v has no value", k)
		}
		out[string(k)] = in[i+1]
	}
	return out, nil
}

func TestThePlistSaysWhatIsMeant(t *testing.T) {
	m := paths.Machine{Name: "default", Dir: "/Users/a & b/<x>"}
	program := `/Applications/"berth" & more/%s/berth-hostagent`
	want := map[string]any{
		"Label": "com.github.berthhq.berth", "ProgramArguments": []any{program, "serve", "default"},
		"RunAtLoad": true, "AbandonProcessGroup": true, "ProcessType": "Interactive", "StandardErrorPath": m.AgentLog(),
	}
	for _, root := range []string{"", "/r & s"} {
		if root != "" {
			want["EnvironmentVariables"] = map[string]any{"BERTH_ROOT": root}
		}
		text, err := agentPlist(program, m, root)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readPlist(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v\ngot  %v\nwant %v\n%s", err, got, want, text)
		}
		for _, bad := range []string{"<true/>", "<key>Label</key>", "</array>"} { // the reader is strict
			if _, err := readPlist(strings.Replace(text, bad, "", 1)); err == nil {
				t.Errorf("without %s it is taken", bad)
			}
		}
	}
	if _, err := agentPlist("/a\x01b", m, ""); errdefs.KindOf(err) != errdefs.KindInvalid {
		t.Errorf("a name that XML cannot say: %v", err)
	}
}

func TestLaunchdInstallAndUninstall(t *testing.T) {
	var told []string
	loaded := false
	l := launchd{home: t.TempDir(), uid: 501, agent: func() (string, error) { return "/usr/local/bin/berth-hostagent", nil }}
	l.launchctl = func(_ context.Context, args ...string) error {
		told = append(told, strings.Join(args, " "))
		if args[0] == "bootout" && !loaded {
			return errors.New("3: No such process")
		}
		if args[0] == "bootstrap" && loaded {
			return errors.New("5: Input/output error")
		}
		loaded = args[0] == "bootstrap"
		return nil
	}
	m := paths.Machine{Name: "default", Dir: filepath.Join(t.TempDir(), "default")}
	for range 2 {
		if err := l.install(t.Context(), m, ""); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(l.home, "Library/LaunchAgents/com.github.berthhq.berth.plist")
	want := "bootout gui/501/com.github.berthhq.berth; bootstrap gui/501 " + file
	if got := strings.Join(told, "; "); got != want+"; "+want {
		t.Errorf("launchd was told %s", got)
	}
	if _, err := os.Stat(file); err != nil || !loaded {
		t.Errorf("loaded %v, %v", loaded, err)
	}
	if err := l.uninstall(t.Context()); err != nil || loaded {
		t.Errorf("loaded %v, %v", loaded, err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
	if err := l.uninstall(t.Context()); errdefs.KindOf(err) != errdefs.KindNotFound {
		t.Errorf("again: %v", err)
	}
}

func TestAnAgentThatIsNotThereIsNotInstalled(t *testing.T) {
	l := launchd{home: t.TempDir(), agent: func() (string, error) { return "", errors.New("not found") }}
	if err := l.install(t.Context(), paths.Machine{Name: "default", Dir: t.TempDir()}, ""); err == nil {
		t.Error("installed")
	}
	if _, err := os.Stat(l.plist()); err == nil {
		t.Error("a plist was written all the same")
	}
}
