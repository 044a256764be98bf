package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
)

// Config is the file's content. Keys, types and meaning are docker's.
type Config struct {
	Paths
	Network
	Logging
	Registry
	Containers
}

// Paths is where the engine keeps and offers things.
type Paths struct {
	DataRoot string   `json:"data-root"`
	Hosts    []string `json:"hosts"`
	Group    string   `json:"group"`
	Debug    bool     `json:"debug"`
	// StorageDriver is chosen once for a state directory.
	StorageDriver string   `json:"storage-driver"`
	LogLevel      string   `json:"log-level"`
	Labels        []string `json:"labels"`
	// TLS without TLSVerify serves no TCP socket: dockerd's middle way, encrypted and open, is not offered.
	TLS       bool   `json:"tls"`
	TLSVerify *bool  `json:"tlsverify"`
	TLSCA     string `json:"tlscacert"`
	TLSCert   string `json:"tlscert"`
	TLSKey    string `json:"tlskey"`
}

// Network is the default network and what containers find on theirs.
type Network struct {
	Bridge           string   `json:"bridge"`
	BIP              string   `json:"bip"`
	FixedCIDR        string   `json:"fixed-cidr"`
	FixedCIDRv6      string   `json:"fixed-cidr-v6"`
	MTU              int      `json:"mtu"`
	DNS              []string `json:"dns"`
	DNSOpts          []string `json:"dns-opts"`
	DNSSearch        []string `json:"dns-search"`
	IP               string   `json:"ip"`
	IPv6             bool     `json:"ipv6"`
	ICC              *bool    `json:"icc"`
	IPMasq           *bool    `json:"ip-masq"`
	IPForward        *bool    `json:"ip-forward"`
	IPTables         *bool    `json:"iptables"`
	UserlandProxy    *bool    `json:"userland-proxy"`
	HostGatewayIP    string   `json:"host-gateway-ip"`
	HostGatewayIPs   []string `json:"host-gateway-ips"`
	DefaultAddrPools []Pool   `json:"default-address-pools"`
}

// Pool is addresses to choose subnets from.
type Pool struct {
	Base string `json:"base"`
	Size int    `json:"size"`
}

// Logging is where containers' output goes by default.
type Logging struct {
	LogDriver string            `json:"log-driver"`
	LogOpts   map[string]string `json:"log-opts"`
}

// Registry is how images are got.
type Registry struct {
	Mirrors                []string `json:"registry-mirrors"`
	Insecure               []string `json:"insecure-registries"`
	MaxConcurrentDownloads int      `json:"max-concurrent-downloads"`
	MaxConcurrentUploads   int      `json:"max-concurrent-uploads"`
	Proxies                Proxies  `json:"proxies"`
}

// Proxies are for the engine's own requests.
type Proxies struct {
	HTTP  string `json:"http-proxy"`
	HTTPS string `json:"https-proxy"`
	No    string `json:"no-proxy"`
}

// Containers are defaults of containers.
type Containers struct {
	ShmSize         Size              `json:"default-shm-size"`
	Ulimits         map[string]Ulimit `json:"default-ulimits"`
	CgroupNS        string            `json:"default-cgroupns-mode"`
	CgroupParent    string            `json:"cgroup-parent"`
	Init            bool              `json:"init"`
	LiveRestore     *bool             `json:"live-restore"` // always so: the supervisor outlives the engine
	ShutdownTimeout int               `json:"shutdown-timeout"`
	UsernsRemap     string            `json:"userns-remap"`
	SELinux         bool              `json:"selinux-enabled"`
	ExecOpts        []string          `json:"exec-opts"`
}

// Ulimit is a limit of processes, in the kernel's units.
type Ulimit struct {
	Name string `json:"Name"`
	Hard int64  `json:"Hard"`
	Soft int64  `json:"Soft"`
}

// Load reads a file. One that does not exist is an empty configuration, unless required.
func Load(file string, required bool) (*Config, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && !required {
		return &Config{}, nil
	}
	if err != nil {
		return nil, errdefs.Invalid("reading the configuration: %w", err)
	}
	c, err := Parse(b)
	if err != nil {
		return nil, errdefs.Invalid("configuration file %s: %w", file, err).WithHint("correct the file, or move it away")
	}
	return c, nil
}

// Parse reads a configuration and checks it.
func Parse(b []byte) (*Config, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return &Config{}, nil
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	known := keys(reflect.TypeFor[Config]())
	var unknown []string
	for _, k := range slices.Sorted(maps.Keys(raw)) {
		if !slices.Contains(known, k) {
			unknown = append(unknown, k)
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("the following directives don't match any configuration option: %s", strings.Join(unknown, ", "))
	}
	c := &Config{}
	if err := json.Unmarshal(b, c); err != nil {
		var t *json.UnmarshalTypeError
		if errors.As(err, &t) {
			return nil, fmt.Errorf("%s: a %s is not what this option takes", t.Field, t.Value)
		}
		return nil, err
	}
	return c, c.check()
}

// keys are the JSON names of a struct, those of its embedded ones included.
func keys(t reflect.Type) (out []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			out = append(out, keys(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		out = append(out, name)
	}
	return out
}
