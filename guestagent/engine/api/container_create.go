package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// namePattern is what a container may be called, two characters at least; one leading slash is dropped before.
const namePattern = `[a-zA-Z0-9][a-zA-Z0-9_.-]`

// createBody is the body of a create: today's fields, and those that older clients still send.
type createBody struct {
	container.CreateRequest
	// Cmd and Entrypoint stand before those of the configuration: a client may send one word in place of a list.
	Cmd, Entrypoint oneOrMore
	// MacAddress was the container's own until 1.52; now it belongs to an endpoint.
	MacAddress string
}

// oneOrMore is a list of words that may be sent as one word.
type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(b []byte) error {
	var word string
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &word); err != nil {
			return err
		}
		*o = oneOrMore{word}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(o))
}

func (s *Server) containerCreate(c *call) error {
	var body createBody
	if err := c.readJSON(&body); err != nil {
		return err
	}
	name := strings.TrimPrefix(c.query.Get("name"), "/")
	if c.query.Get("name") != "" {
		if err := validName(name); err != nil {
			return err
		}
	}
	platform, err := c.platformName(41)
	if err != nil {
		return err
	}
	req := &body.CreateRequest
	if req.Config == nil {
		return errdefs.Invalid("config cannot be empty in order to create a container")
	}
	req.Cmd, req.Entrypoint = body.Cmd, body.Entrypoint
	completeCreate(req)
	warnings, err := adaptCreate(c.version, &body)
	if err != nil {
		return err
	}
	if err := validateCreate(req); err != nil {
		return err
	}
	resp, err := s.Container.ContainerCreate(c.ctx(), name, platform, req)
	if err != nil {
		return err
	}
	resp.Warnings = append(notNil(resp.Warnings), warnings...)
	return writeJSON(c.w, http.StatusCreated, resp)
}

func validName(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	if len(name) < 2 || strings.Trim(name, letters+"_.-") != "" || !strings.Contains(letters, name[:1]) {
		return errdefs.Invalid("Invalid container name (%s), only %s are allowed", name, namePattern)
	}
	return nil
}

// completeCreate makes the parts that handlers and the engine may rely on.
func completeCreate(req *container.CreateRequest) {
	if req.HostConfig == nil {
		req.HostConfig = &container.HostConfig{}
	}
	if req.HostConfig.NetworkMode == "" {
		req.HostConfig.NetworkMode = network.NetworkDefault
	}
	if req.NetworkingConfig == nil {
		req.NetworkingConfig = &network.NetworkingConfig{}
	}
	if req.NetworkingConfig.EndpointsConfig == nil {
		req.NetworkingConfig.EndpointsConfig = map[string]*network.EndpointSettings{}
	}
	for name, ep := range req.NetworkingConfig.EndpointsConfig {
		if ep == nil {
			req.NetworkingConfig.EndpointsConfig[name] = &network.EndpointSettings{}
		}
	}
	// Numbers by which clients say "none".
	if limit := req.HostConfig.PidsLimit; limit != nil && *limit <= 0 {
		req.HostConfig.PidsLimit = nil
	}
	if sw := req.HostConfig.MemorySwappiness; sw != nil && *sw == -1 {
		req.HostConfig.MemorySwappiness = nil
	}
}

// validateCreate checks what needs nothing but the request itself. The engine checks the rest.
func validateCreate(req *container.CreateRequest) error {
	hc := req.HostConfig
	for _, check := range []struct {
		bad bool
		msg string
	}{
		{!hc.IpcMode.Valid(), "invalid IPC mode: " + string(hc.IpcMode)},
		{!hc.PidMode.Valid(), "invalid PID mode: " + string(hc.PidMode)},
		{!hc.UTSMode.Valid(), "invalid UTS mode: " + string(hc.UTSMode)},
		{!hc.UsernsMode.Valid(), "invalid USER mode: " + string(hc.UsernsMode)},
		{!hc.CgroupnsMode.Valid(), "invalid cgroup namespace mode: " + string(hc.CgroupnsMode)},
		{hc.NetworkMode.IsContainer() && hc.NetworkMode.ConnectedContainer() == "", `invalid network mode: invalid container format container:<name|id>`},
		{!hc.Isolation.IsDefault(), `invalid isolation (` + string(hc.Isolation) + `): linux only supports 'default'`},
		{hc.AutoRemove && !hc.RestartPolicy.IsNone(), "can't create 'AutoRemove' container with restart policy"},
		{hc.ShmSize < 0, "SHM size can not be less than 0"},
		{hc.OomScoreAdj < -1000 || hc.OomScoreAdj > 1000, fmt.Sprintf("Invalid value %d, range for oom score adj is [-1000, 1000]", hc.OomScoreAdj)},
	} {
		if check.bad {
			return errdefs.Invalid("%s", check.msg)
		}
	}
	for _, host := range hc.ExtraHosts {
		if name, address, ok := strings.Cut(strings.Replace(host, "=", ":", 1), ":"); !ok || name == "" || address == "" {
			return errdefs.Invalid("bad format for add-host: %q", host)
		}
	}
	if err := container.ValidateRestartPolicy(hc.RestartPolicy); err != nil {
		return errdefs.Invalid("%w", err)
	}
	return nil
}
