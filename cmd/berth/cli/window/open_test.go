package window

import (
	"strings"
	"testing"
)

func TestOpener(t *testing.T) {
	none := func(string) string { return "" }
	display := func(name string) string {
		if name == "WAYLAND_DISPLAY" {
			return "wayland-0"
		}
		return ""
	}
	for _, c := range []struct {
		goos   string
		getenv func(string) string
		want   string
	}{
		{"linux", display, "xdg-open /w/open.html"},
		{"linux", none, ""},
		{"darwin", none, "open /w/open.html"},
		{"windows", none, "rundll32 url.dll,FileProtocolHandler /w/open.html"},
	} {
		name, args, err := opener(c.goos, "/w/open.html", c.getenv)
		got := strings.TrimSpace(name + " " + strings.Join(args, " "))
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: %q, %v; want %q", c.goos, got, err, c.want)
		}
	}
}
