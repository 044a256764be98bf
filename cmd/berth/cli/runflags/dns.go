package runflags

import (
	"github.com/docker/cli/opts"
	"github.com/spf13/pflag"
)

// dnsFlags are names: resolvers and hosts.
type dnsFlags struct{ servers, search, options, hosts opts.ListOpts }

func (d *dnsFlags) add(fs *pflag.FlagSet) {
	d.servers = opts.NewListOpts(opts.ValidateIPAddress)
	d.search = opts.NewListOpts(opts.ValidateDNSSearch)
	d.options = opts.NewListOpts(nil)
	d.hosts = opts.NewListOpts(opts.ValidateExtraHost)
	fs.Var(&d.servers, "dns", "Set custom DNS servers")
	fs.Var(&d.search, "dns-search", "Set custom DNS search domains")
	fs.Var(&d.options, "dns-option", "Set DNS options")
	fs.Var(&d.options, "dns-opt", "Set DNS options")
	fs.Var(&d.hosts, "add-host", "Add a custom host-to-IP mapping (host:ip)")
	hide(fs, "dns-opt")
}

func (d *dnsFlags) apply(_ *pflag.FlagSet, spec *Spec) error {
	h := spec.HostConfig
	h.DNS = addresses(d.servers.GetSlice())
	h.DNSSearch, h.DNSOptions = d.search.GetAllOrEmpty(), d.options.GetAllOrEmpty()
	h.ExtraHosts = d.hosts.GetSlice()
	return nil
}
