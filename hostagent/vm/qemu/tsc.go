//go:build linux

package qemu

import (
	"os"
	"regexp"
	"strconv"
	"strings"
)

// tscKHz is the frequency of this processor's time stamp counter, as near as it can be learnt without privileges; the
// guest's kernel refines it. 0 where it is not known.
func tscKHz() int {
	if b, err := os.ReadFile("/sys/devices/system/cpu/cpu0/cpufreq/base_frequency"); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			return n
		}
	}
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return 0
	}
	return parseMHz(string(b))
}

func parseMHz(cpuinfo string) int {
	m := regexp.MustCompile(`(?m)^cpu MHz\s*:\s*([0-9.]+)$`).FindStringSubmatch(cpuinfo)
	if m == nil {
		return 0
	}
	mhz, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0
	}
	return int(mhz * 1000)
}
