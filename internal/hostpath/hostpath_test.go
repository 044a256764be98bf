package hostpath

import (
	"strings"
	"testing"

	"github.com/berthhq/berth/internal/errdefs"
)

func TestBind(t *testing.T) {
	const here = `C:\Users\me\src`
	for _, c := range []struct{ goos, dir, spec, want string }{
		{"linux", "/home/me", "/a:/b:ro", "/a:/b:ro"},
		{"linux", "/home/me", "./x:/y", "/home/me/x:/y"},
		{"linux", "/home/me", "..:/y", "/home:/y"},
		{"linux", "/home/me", "vol:/y:ro", "vol:/y:ro"},
		{"linux", "/home/me", "/y", "/y"},
		{"linux", "/home/me", `C:\x`, `C:\x`}, // a volume named C, as on every Linux
		{"windows", here, `C:\Users\x:/y:ro`, "/c/Users/x:/y:ro"},
		{"windows", here, `C:/Users/x:/y`, "/c/Users/x:/y"},
		{"windows", here, `//c/Users/x:/y`, "/c/Users/x:/y"},
		{"windows", here, `/c/Users/x:/y`, "/c/Users/x:/y"},
		{"windows", here, `d:\a b\..\c  d:/y`, "/d/c  d:/y"},
		{"windows", here, `D:\:/y`, "/d/:/y"},
		{"windows", here, `/d:/y`, "/d/:/y"},
		{"windows", here, `\\?\C:\very\long:/y`, "/c/very/long:/y"},
		{"windows", here, `\\?\C:\very\long:/y:ro`, "/c/very/long:/y:ro"},
		{"windows", here, `.:/y`, "/c/Users/me/src:/y"},
		{"windows", here, `..\other:/y`, "/c/Users/me/other:/y"},
		{"windows", here, `sub\dir:/y`, "/c/Users/me/src/sub/dir:/y"},
		{"windows", here, `C:sub:/y`, "/c/Users/me/src/sub:/y"},
		{"windows", here, `\Windows:/y`, "/c/Windows:/y"},
		{"windows", here, `C:\..\..\x:/y`, "/c/x:/y"},
		{"windows", here, `C:\Console\a.con:/y`, "/c/Console/a.con:/y"},
		{"windows", here, `vol:/y`, "vol:/y"},
		{"windows", here, `v:/y`, "v:/y"},
		{"windows", here, `/y`, "/y"},
	} {
		if got, err := Bind(c.goos, c.dir, c.spec); err != nil || got != c.want {
			t.Errorf("%s %s: %q, %v; want %q", c.goos, c.spec, got, err, c.want)
		}
	}
	for spec, want := range map[string]string{
		`\\server\share\x:/y`:            "of another computer",
		`\\wsl.localhost\Debian\home:/y`: "WSL distribution",
		`\\?\UNC\server\share:/y`:        "of another computer",
		`D:x:/y`:                         "drive D: is not known",
		`C:\a\NUL:/y`:                    `"NUL" is a device`,
		`C:\com1.txt\b:/y`:               `"com1.txt" is a device`,
		`C:\Users\lpt9 .x:/y:ro`:         "is a device",
	} {
		if got, err := Bind("windows", here, spec); errdefs.KindOf(err) != errdefs.KindInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want %q", spec, got, err, want)
		}
	}
}

// FuzzBind: no source of Windows reaches the engine with a backslash or a drive's colon in it.
func FuzzBind(f *testing.F) {
	for _, s := range []string{`C:\x:/y:ro`, `//c/x:/y`, `\\?\C:\:/y`, `C:`, `\:`, `C:x`, `/c`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		got, err := Bind("windows", `C:\Users`, spec)
		if err != nil || got == spec {
			return
		}
		source, _, _ := strings.Cut(got, ":")
		if strings.Contains(source, `\`) || !strings.HasPrefix(source, "/") || strings.Contains(source, "/../") {
			t.Errorf("%q becomes %q", spec, got)
		}
	})
}
