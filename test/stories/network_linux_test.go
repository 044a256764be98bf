package stories

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// publish asks for a port of the machine.
func publish(c *container.Config, h *container.HostConfig, ip string, outside, inside int) {
	p := network.MustParsePort(fmt.Sprintf("%d/tcp", inside))
	if c.ExposedPorts == nil {
		c.ExposedPorts, h.PortBindings = network.PortSet{}, network.PortMap{}
	}
	c.ExposedPorts[p] = struct{}{}
	b := network.PortBinding{HostPort: fmt.Sprint(outside)}
	if ip != "" {
		b.HostIP = netip.MustParseAddr(ip)
	}
	h.PortBindings[p] = append(h.PortBindings[p], b)
}

// httpd is a command that serves the seed of the image's /data.
func httpd() []string { return []string{"httpd", "-f", "-p", "80", "-h", "/data"} }

func get(url string) (string, error) {
	c := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

const seed = "from the image\n"

// fetch runs a container that asks a URL until it answers, and gives the page.
func fetch(w *harness.World, url string, opts func(*client.ContainerCreateOptions)) string {
	w.Helper()
	script := "for i in $(seq 300); do timeout 5 wget -q -O - " + url + " 2>/dev/null && exit; usleep 100000; done; exit 1"
	return w.Output(harness.Spec{Cmd: []string{"sh", "-c", script}, Opts: opts})
}

func TestPublishedPorts(t *testing.T) {
	w := harness.New(t)
	id := w.Run(harness.Spec{Name: "web", Cmd: httpd(), Conf: func(c *container.Config, h *container.HostConfig) { publish(c, h, "", 8081, 80) }})
	for _, url := range []string{"http://127.0.0.1:8081/seed", "http://[::1]:8081/seed"} {
		var page string
		var err error
		w.Eventually(url+" answers", func() bool { page, err = get(url); return err == nil })
		if page != seed {
			t.Errorf("%s: %q", url, page)
		}
	}
	gateway := w.Inspect(id).NetworkSettings.Networks["bridge"].Gateway.String()
	if page := fetch(w, "http://"+gateway+":8081/seed", nil); page != seed {
		t.Errorf("by the machine's address, from a container: %q", page)
	}
	err := w.TryStart(w.Create(harness.Spec{Name: "taken", Cmd: httpd(), Conf: func(c *container.Config, h *container.HostConfig) { publish(c, h, "", 8081, 80) }}))
	if err == nil || !strings.Contains(err.Error(), "8081") {
		t.Errorf("a taken port: %v", err)
	}
	w.Remove(id)
	if page, err := get("http://127.0.0.1:8081/seed"); err == nil {
		t.Errorf("the port answers after the removal: %q", page)
	}
}

func TestNetworks(t *testing.T) {
	w := harness.New(t)
	w.Run(harness.Spec{Name: "db", Cmd: httpd(), Conf: func(c *container.Config, h *container.HostConfig) {
		c.Env = []string{"WHO=link"}
		c.ExposedPorts = network.PortSet{network.MustParsePort("80/tcp"): {}}
	}})
	w.Part("links", links)
	_, err := w.API.NetworkCreate(w.Ctx(), "front", client.NetworkCreateOptions{Driver: "bridge",
		IPAM: &network.IPAM{Config: []network.IPAMConfig{{Subnet: netip.MustParsePrefix("10.77.0.0/24"), Gateway: netip.MustParseAddr("10.77.0.1")}}}})
	w.Must(err)
	w.Part("names, aliases, a fixed address", names)
	w.Part("connect and disconnect", connect)
	if _, err := w.API.NetworkRemove(w.Ctx(), "front", client.NetworkRemoveOptions{}); err == nil || !strings.Contains(err.Error(), "active endpoints") {
		t.Errorf("removing a network in use: %v", err)
	}
	w.Remove("app")
	_, err = w.API.NetworkRemove(w.Ctx(), "front", client.NetworkRemoveOptions{})
	w.Must(err)
}

func TestANetworkIsRemovedAsSoonAsItsContainersOutputEnds(t *testing.T) {
	w := harness.New(t)
	for range 5 {
		_, err := w.API.NetworkCreate(w.Ctx(), "brief", client.NetworkCreateOptions{Driver: "bridge"})
		w.Must(err)
		id := w.Run(harness.Spec{Cmd: []string{"cat"}, Conf: func(c *container.Config, h *container.HostConfig) {
			c.OpenStdin, c.StdinOnce, h.NetworkMode = true, true, "brief"
		}})
		a, err := w.API.ContainerAttach(w.Ctx(), id, client.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true})
		w.Must(err)
		w.Must(a.CloseWrite())
		_, err = io.Copy(io.Discard, a.Reader)
		w.Must(err)
		_, err = w.API.NetworkRemove(w.Ctx(), "brief", client.NetworkRemoveOptions{})
		w.Must(err)
		a.Close()
		w.Remove(id)
	}
}

func links(w *harness.World) {
	script := "for i in $(seq 300); do timeout 5 wget -q -O - http://database/seed && break; usleep 100000; done; env; cat /etc/hosts"
	out := w.Output(harness.Spec{Cmd: []string{"sh", "-c", script}, Conf: func(_ *container.Config, h *container.HostConfig) { h.Links = []string{"db:database"} }})
	for _, want := range []string{seed, "DATABASE_PORT_80_TCP=", "DATABASE_ENV_WHO=link", "\tdatabase "} {
		if !strings.Contains(out, want) {
			w.Errorf("--link: no %q in %q", want, out)
		}
	}
}

// onFront puts a container on the network front.
func onFront(ep *network.EndpointSettings) func(*client.ContainerCreateOptions) {
	return func(o *client.ContainerCreateOptions) {
		o.HostConfig.NetworkMode = "front"
		o.NetworkingConfig = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"front": ep}}
	}
}

func names(w *harness.World) {
	fixed := netip.MustParseAddr("10.77.0.99")
	id := w.Run(harness.Spec{Name: "app", Cmd: httpd(), Opts: onFront(&network.EndpointSettings{
		Aliases: []string{"backend"}, IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: fixed},
	})})
	if got := w.Inspect(id).NetworkSettings.Networks["front"].IPAddress; got != fixed {
		w.Errorf("the address is %s", got)
	}
	for _, name := range []string{"app", "backend", id[:12], fixed.String()} {
		if page := fetch(w, "http://"+name+"/seed", onFront(&network.EndpointSettings{})); page != seed {
			w.Errorf("http://%s: %q", name, page)
		}
	}
	// One on the default bridge neither knows the name nor reaches the address.
	for _, host := range []string{"app", fixed.String()} {
		out, _ := w.Result(harness.Spec{Cmd: []string{"sh", "-c", "timeout 2 wget -q -O - http://" + host + "/seed; true"}})
		if strings.Contains(out, seed) {
			w.Errorf("a container of another network reaches %s", host)
		}
	}
}

func connect(w *harness.World) {
	w.Run(harness.Spec{Name: "mover", Cmd: []string{"sleep", "1000"}})
	reach := func() bool {
		out, _ := w.Exec("mover", "timeout", "2", "wget", "-q", "-O", "-", "http://backend/seed")
		return strings.Contains(out, seed)
	}
	if reach() {
		w.Error("it reaches the network before it is connected")
	}
	_, err := w.API.NetworkConnect(w.Ctx(), "front", client.NetworkConnectOptions{Container: "mover", EndpointConfig: &network.EndpointSettings{Aliases: []string{"moved"}}})
	w.Must(err)
	w.Eventually("the network is reached", reach)
	if n := w.Inspect("mover").NetworkSettings.Networks; len(n) != 2 || !n["front"].IPAddress.IsValid() {
		w.Errorf("networks after connect: %+v", n)
	}
	if out, code := w.Exec("app", "ping", "-c", "1", "-W", "20", "moved"); code != 0 {
		w.Errorf("its alias is not known: %s", out)
	}
	_, err = w.API.NetworkDisconnect(w.Ctx(), "front", client.NetworkDisconnectOptions{Container: "mover"})
	w.Must(err)
	if reach() {
		w.Error("it reaches the network after it was disconnected")
	}
	if n := w.Inspect("mover").NetworkSettings.Networks; len(n) != 1 {
		w.Errorf("networks after disconnect: %+v", n)
	}
	w.Remove("mover")
}
