//go:build linux

package engine

import (
	"fmt"
	"testing"
)

func TestRegistriesInInfo(t *testing.T) {
	c := registryConfig([]string{"http://m:5000", "https://n/"}, []string{"10.0.0.0/8", "r:5000"})
	if got := fmt.Sprint(c.Mirrors, c.InsecureRegistryCIDRs); got != "[http://m:5000/ https://n/] [::1/128 127.0.0.0/8 10.0.0.0/8]" {
		t.Error(got)
	}
	hub, r := c.IndexConfigs["docker.io"], c.IndexConfigs["r:5000"]
	if !hub.Secure || !hub.Official || len(hub.Mirrors) != 2 || r == nil || r.Secure || r.Official || r.Mirrors == nil || len(c.IndexConfigs) != 2 {
		t.Errorf("%+v, %+v", hub, r)
	}
}
