package runflags

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/docker/cli/opts"
	"github.com/docker/go-connections/nat"
	"github.com/moby/moby/api/types/network"
	"github.com/spf13/pflag"
)

// portFlags publish and expose ports.
type portFlags struct {
	publish, expose opts.ListOpts
	all             bool
}

func (p *portFlags) add(fs *pflag.FlagSet) {
	p.publish = opts.NewListOpts(nil)
	p.expose = opts.NewListOpts(nil)
	fs.VarP(&p.publish, "publish", "p", "Publish a container's port(s) to the host")
	fs.BoolVarP(&p.all, "publish-all", "P", false, "Publish all exposed ports to random ports")
	fs.Var(&p.expose, "expose", "Expose a port or a range of ports")
}

func (p *portFlags) apply(_ *pflag.FlagSet, spec *Spec) error {
	exposed, bindings, err := ParsePublish(p.publish.GetSlice())
	if err != nil {
		return err
	}
	for _, e := range p.expose.GetSlice() {
		r, err := network.ParsePortRange(e)
		if err != nil {
			return fmt.Errorf("invalid range format for --expose: %w", err)
		}
		for port := range r.All() {
			exposed[port] = struct{}{}
		}
	}
	spec.Config.ExposedPorts = exposed
	spec.HostConfig.PortBindings, spec.HostConfig.PublishAllPorts = bindings, p.all
	return nil
}

// ParsePublish reads docker's -p in every form: [ip:][host[-host]:]port[-port][/proto] and published=,target=,protocol=.
func ParsePublish(list []string) (network.PortSet, network.PortMap, error) {
	short := make([]string, 0, len(list))
	for _, s := range list {
		s, err := shortForm(s)
		if err != nil {
			return nil, nil, err
		}
		short = append(short, s)
	}
	ports, natBindings, err := nat.ParsePortSpecs(short)
	if err != nil {
		return nil, nil, err
	}
	exposed, bindings := network.PortSet{}, network.PortMap{}
	for p := range ports {
		port, err := network.ParsePort(string(p))
		if err != nil {
			return nil, nil, err
		}
		exposed[port] = struct{}{}
	}
	for p, bs := range natBindings {
		port, err := network.ParsePort(string(p))
		if err != nil {
			return nil, nil, err
		}
		list := make([]network.PortBinding, 0, len(bs))
		for _, b := range bs {
			pb := network.PortBinding{HostPort: b.HostPort}
			if b.HostIP != "" {
				if pb.HostIP, err = netip.ParseAddr(b.HostIP); err != nil {
					return nil, nil, err
				}
			}
			list = append(list, pb)
		}
		bindings[port] = list
	}
	return exposed, bindings, nil
}

// shortForm turns published=8080,target=80 into 8080:80/tcp.
func shortForm(s string) (string, error) {
	if !strings.Contains(s, "=") {
		return s, nil
	}
	f := map[string]string{"protocol": "tcp"}
	for part := range strings.SplitSeq(s, ",") {
		k, v, ok := strings.Cut(part, "=")
		if !ok || k == "" {
			return "", fmt.Errorf("invalid publish opts format (should be name=value but got '%s')", part)
		}
		f[k] = v
	}
	return fmt.Sprintf("%s:%s/%s", f["published"], f["target"], f["protocol"]), nil
}
