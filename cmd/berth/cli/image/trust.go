package image

import "github.com/spf13/pflag"

// ignoreTrust takes the flag of docker's content trust, which docker itself no longer has.
func ignoreTrust(fs *pflag.FlagSet, to *bool) {
	fs.BoolVar(to, "disable-content-trust", true, "Skip image verification (deprecated)")
	fs.Lookup("disable-content-trust").Hidden = true
}
