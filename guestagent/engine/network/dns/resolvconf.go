package dns

import (
	"net/netip"
	"strings"
)

// ResolvConf is what a resolv.conf says.
type ResolvConf struct {
	Servers []netip.Addr
	Search  []string
	Options []string
}

// ParseResolvConf reads a resolv.conf as the C library does: unknown lines are ignored, the last search line counts.
func ParseResolvConf(data []byte) ResolvConf {
	var rc ResolvConf
	for line := range strings.Lines(string(data)) {
		if i := strings.IndexAny(line, "#;"); i >= 0 {
			line = line[:i]
		}
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(f[1]); err == nil {
				rc.Servers = append(rc.Servers, a.Unmap())
			}
		case "search", "domain":
			rc.Search = f[1:]
		case "options":
			rc.Options = append(rc.Options, f[1:]...)
		}
	}
	return rc
}

// String is a resolv.conf that says the same.
func (rc ResolvConf) String() string {
	var b strings.Builder
	for _, s := range rc.Servers {
		b.WriteString("nameserver " + s.String() + "\n")
	}
	if len(rc.Search) > 0 {
		b.WriteString("search " + strings.Join(rc.Search, " ") + "\n")
	}
	if len(rc.Options) > 0 {
		b.WriteString("options " + strings.Join(rc.Options, " ") + "\n")
	}
	return b.String()
}
