package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/berthhq/berth/cmd/berth/cli/runflags"
	"github.com/berthhq/berth/cmd/berth/cli/session"
)

// createOptions are what run and create share beside the container's own flags.
type createOptions struct {
	name, platform, pull string
	quiet, apiSocket     bool
	noTrust              bool // taken and ignored: docker dropped content trust
	flags                *runflags.Flags
}

func (o *createOptions) add(cmd *cobra.Command, s *session.Session) {
	fs := cmd.Flags()
	fs.SetInterspersed(false)
	fs.StringVar(&o.name, "name", "", "Assign a name to the container")
	fs.StringVar(&o.pull, "pull", pullMissing, `Pull image before creating ("always", "missing", "never")`)
	fs.BoolVarP(&o.quiet, "quiet", "q", false, "Suppress the pull output")
	fs.BoolVar(&o.apiSocket, "use-api-socket", false, "Bind mount Docker API socket and required auth")
	fs.StringVar(&o.platform, "platform", s.Getenv("DOCKER_DEFAULT_PLATFORM"), "Set platform if server is multi-platform capable")
	fs.BoolVar(&o.noTrust, "disable-content-trust", true, "Skip image verification (deprecated)")
	fs.Lookup("disable-content-trust").Hidden = true
	fs.Bool("help", false, "Print usage") // without -h, which is the host's name
	o.flags = runflags.Add(fs)
}

// spec reads the flags, with the proxies of docker's configuration file laid under -e.
func (o *createOptions) spec(s *session.Session, api client.APIClient, fs *pflag.FlagSet, args []string) (*runflags.Spec, error) {
	if err := checkPull(o.pull); err != nil {
		return nil, err
	}
	if len(s.Config().Proxies) > 0 {
		o.flags.SetEnv(withProxies(s, api.DaemonHost(), o.flags.Env()))
	}
	return o.flags.Spec(fs, args[0], args[1:])
}

func withProxies(s *session.Session, host string, env []string) []string {
	var out []string
	for k, v := range s.Config().ParseProxyConfig(host, opts.ConvertKVStringsToMapWithNil(env)) {
		if v == nil {
			out = append(out, k)
		} else {
			out = append(out, k+"="+*v)
		}
	}
	slices.Sort(out)
	return out
}

// create makes the container, pulling its image where it is missing or --pull says so, and returns its ID.
func (o *createOptions) create(ctx context.Context, s *session.Session, api client.APIClient, spec *runflags.Spec) (string, error) {
	platform, err := parsePlatform(o.platform)
	if err != nil {
		return "", err
	}
	cid, err := openIDFile(spec.HostConfig.ContainerIDFile)
	if err != nil {
		return "", err
	}
	defer cid.close()
	var inject func(string) error
	if o.apiSocket {
		if inject, err = offerSocket(ctx, s, api, spec); err != nil {
			return "", err
		}
	}
	image := spec.Config.Image
	if o.pull == pullAlways {
		if err := pullImage(ctx, s, api, image, platform, o.quiet); err != nil {
			return "", err
		}
	}
	h, w := s.Out.GetTtySize()
	spec.HostConfig.ConsoleSize = [2]uint{h, w}
	req := client.ContainerCreateOptions{
		Name: o.name, Config: spec.Config, HostConfig: spec.HostConfig, NetworkingConfig: spec.NetworkingConfig, Platform: platform,
	}
	res, err := api.ContainerCreate(ctx, req)
	if cerrdefs.IsNotFound(err) && o.pull == pullMissing && imageMissing(err) {
		if !o.quiet {
			_, _ = fmt.Fprintf(s.Err, "Unable to find image '%s' locally\n", familiar(image))
		}
		if err := pullImage(ctx, s, api, image, platform, o.quiet); err != nil {
			return "", err
		}
		res, err = api.ContainerCreate(ctx, req)
	}
	if err != nil {
		return "", err
	}
	for _, w := range res.Warnings {
		_, _ = fmt.Fprintln(s.Err, "WARNING:", w)
	}
	if inject != nil {
		if err := inject(res.ID); err != nil {
			return "", err
		}
	}
	return res.ID, cid.write(res.ID)
}

// idFile is --cidfile: it must not exist before, and is taken away again where nothing was created.
type idFile struct {
	file    *os.File
	written bool
}

func openIDFile(path string) (*idFile, error) {
	if path == "" {
		return &idFile{}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("container ID file found, make sure the other container isn't running or delete %s", path)
	}
	if err != nil {
		return nil, fmt.Errorf("creating the container ID file: %w", err)
	}
	return &idFile{file: f}, nil
}

func (c *idFile) write(id string) error {
	if c.file == nil {
		return nil
	}
	if _, err := c.file.WriteString(id); err != nil {
		return fmt.Errorf("writing the container ID to %s: %w", c.file.Name(), err)
	}
	c.written = true
	return nil
}

func (c *idFile) close() {
	if c.file == nil {
		return
	}
	_ = c.file.Close()
	if !c.written {
		_ = os.Remove(c.file.Name())
	}
}
