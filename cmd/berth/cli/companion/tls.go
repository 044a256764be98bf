package companion

import "github.com/berthhq/berth/internal/endpoint"

// tlsArgs are the --tls flags that berth was given, as companions take them before their verb. A context has
// certificates of its own, which the companion finds by its name. --tlsverify=false is TLS without verification.
func tlsArgs(o endpoint.TLSOptions, ep endpoint.Endpoint) []string {
	if ep.Context != endpoint.DefaultContext {
		return nil
	}
	var args []string
	if o.Verify != nil && *o.Verify {
		args = append(args, "--tlsverify")
	} else if o.Use || o.Verify != nil {
		args = append(args, "--tls")
	}
	for _, f := range []struct{ name, file string }{{"--tlscacert", o.CA}, {"--tlscert", o.Cert}, {"--tlskey", o.Key}} {
		if f.file != "" {
			args = append(args, f.name, f.file)
		}
	}
	return args
}
