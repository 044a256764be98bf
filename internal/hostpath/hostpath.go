// Package hostpath reads paths of the host as people write them with -v, and writes them as a Linux engine can carry them:
// with slashes and without a colon, C:\Users\x being /c/Users/x. It asks nothing of the system it runs on: which rules
// hold is an argument, so that those of Windows are tested everywhere.
package hostpath

import (
	"path"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
)

// Bind makes the source of a bind SOURCE:TARGET[:OPTIONS] one that the engine can carry; dir is the directory that
// relative paths are meant from. Names of volumes, and what has no source, stay as they are. Errors: Invalid.
func Bind(goos, dir, spec string) (string, error) {
	source, rest, has := split(goos, spec)
	if !has || !isPath(goos, source) {
		return spec, nil
	}
	p, err := clean(goos, dir, source)
	if err != nil {
		return "", err
	}
	return p + rest, nil
}

// split takes the source off; rest begins with its colon. The colon of a drive ends nothing.
func split(goos, spec string) (source, rest string, has bool) {
	from := 0
	if goos == "windows" {
		if long, ok := strings.CutPrefix(spec, `\\?\`); ok && drive(long) {
			from = len(spec) - len(long) + 2
		} else if drive(spec) && len(spec) > 2 && spec[2] != ':' {
			from = 2
		}
	}
	at := strings.IndexByte(spec[from:], ':')
	if at < 0 {
		return spec, "", false
	}
	return spec[:from+at], spec[from+at:], true
}

func drive(s string) bool {
	return len(s) >= 2 && s[1] == ':' && (s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z')
}

// isPath says whether a source is a path and no volume's name.
func isPath(goos, s string) bool {
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "/") {
		return true
	}
	return goos == "windows" && (drive(s) || strings.ContainsAny(s, `\/`))
}

// clean makes a path absolute, in the form that the engine carries.
func clean(goos, dir, p string) (string, error) {
	if goos != "windows" {
		if strings.HasPrefix(p, "/") {
			return p, nil
		}
		if dir == "" {
			return "", errdefs.Invalid("%s: the present directory is not known", p).WithHint("Write the path in full.")
		}
		return path.Join(dir, p), nil
	}
	w, err := windows(dir, p)
	if err != nil {
		return "", err
	}
	for _, part := range strings.Split(w, "/") {
		if reserved(part) {
			return "", errdefs.Invalid("%s: %q is a device of Windows, not a file", p, part).WithHint("Rename it.")
		}
	}
	return w, nil
}

// keepSlash leaves the slash at the end that says a directory is meant.
func keepSlash(was, is string) string {
	if strings.HasSuffix(was, "/") && !strings.HasSuffix(is, "/") {
		return is + "/"
	}
	return is
}

// windows reads a path of Windows.
func windows(dir, p string) (string, error) {
	s := strings.ReplaceAll(p, `\`, "/")
	s = strings.TrimPrefix(s, "//?/") // the long form of the same path
	if unc, ok := strings.CutPrefix(s, "UNC/"); ok && strings.HasPrefix(p, `\\?\`) {
		s = "//" + unc
	}
	here := strings.ReplaceAll(dir, `\`, "/")
	switch {
	case drive(s) && len(s) == 2, drive(s) && s[2] != '/':
		// C:x is x in the present directory of drive C, which only one drive has.
		if !drive(here) || here[0]|0x20 != s[0]|0x20 {
			return "", errdefs.Invalid("%s: the present directory of drive %s is not known", p, s[:2]).WithHint(`Write it in full: %s\...`, s[:2])
		}
		s = here + "/" + s[2:]
	case drive(s):
	case strings.HasPrefix(s, "//"):
		return network(p, s)
	case len(s) >= 2 && s[0] == '/' && (s[1]|0x20 >= 'a' && s[1]|0x20 <= 'z') && (len(s) == 2 || s[2] == '/'): // /c/x, as other shells write it
		s = s[1:2] + ":" + s[2:] + strings.Repeat("/", max(0, 3-len(s)))
	case strings.HasPrefix(s, "/"): // from the root of the present drive
		if !drive(here) {
			return "", errdefs.Invalid("%s: no drive", p).WithHint(`Write it in full: C:\...`)
		}
		s = here[:2] + s
	default:
		s = here + "/" + s
	}
	if !drive(s) {
		return "", errdefs.Invalid("%s: no drive", p).WithHint(`Write it in full: C:\...`)
	}
	rest := path.Clean("/" + s[2:])
	return keepSlash(s, strings.TrimSuffix("/"+strings.ToLower(s[:1])+rest, "/")), nil
}

// network reads //server/share/x and //c/x, which is a drive to shells that eat one slash.
func network(p, s string) (string, error) {
	server, rest, _ := strings.Cut(s[2:], "/")
	if len(server) == 1 && drive(server+":") {
		return keepSlash(s, strings.TrimSuffix("/"+strings.ToLower(server)+path.Clean("/"+rest), "/")), nil
	}
	return "", errdefs.Invalid("%s: directories of another computer or of a WSL distribution are not shared with berth's machine", p).
		WithHint("Copy what you need of //%s to a drive of this computer.", server)
}

// reserved are names that Windows takes for devices, whatever follows a dot.
func reserved(part string) bool {
	name, _, _ := strings.Cut(strings.ToUpper(part), ".")
	switch strings.TrimRight(name, " ") {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	name = strings.TrimRight(name, " ")
	return len(name) == 4 && (strings.HasPrefix(name, "COM") || strings.HasPrefix(name, "LPT")) && name[3] >= '1' && name[3] <= '9'
}
