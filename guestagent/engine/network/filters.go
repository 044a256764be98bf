//go:build linux

package network

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
)

// A matcher says whether a network is meant.
type matcher func(*network) bool

// listFilter understands docker's filters of network ls.
func listFilter(filters map[string]map[string]bool) (matcher, error) {
	var all []matcher
	for key, values := range filters {
		switch key {
		case "name":
			all = append(all, anyOf(values, func(n *network, v string) bool { return named(n.rec.Name, v) }))
		case "id":
			all = append(all, anyOf(values, func(n *network, v string) bool { return strings.HasPrefix(n.rec.ID, v) }))
		case "driver":
			all = append(all, anyOf(values, func(n *network, v string) bool { return n.rec.Driver == v }))
		case "scope":
			all = append(all, anyOf(values, func(n *network, v string) bool { return n.rec.Scope == v }))
		case "label":
			all = append(all, everyLabel(values))
		case "type":
			for v := range values {
				if v != "custom" && v != "builtin" {
					return nil, errdefs.Invalid("invalid filter: 'type'='%s'", v)
				}
			}
			all = append(all, anyOf(values, func(n *network, v string) bool { return (v == "builtin") == n.predefined() }))
		case "dangling":
			want, err := oneBool(key, values)
			if err != nil {
				return nil, err
			}
			all = append(all, func(n *network) bool { return (!n.predefined() && len(n.endpoints) == 0) == want })
		default:
			return nil, errdefs.Invalid("invalid filter '%s'", key)
		}
	}
	return every(all), nil
}

// named takes v for a regular expression or for a part of the name, as docker does.
func named(name, v string) bool {
	re, err := regexp.Compile(v)
	return err == nil && re.MatchString(name) || strings.Contains(name, v)
}

// pruneFilter understands docker's filters of network prune.
func pruneFilter(filters map[string]map[string]bool) (matcher, error) {
	var all []matcher
	for key, values := range filters {
		switch key {
		case "label":
			all = append(all, everyLabel(values))
		case "label!":
			match := everyLabel(values)
			all = append(all, func(n *network) bool { return !match(n) })
		case "until":
			if len(values) != 1 {
				return nil, errdefs.Invalid("more than one until filter specified")
			}
			for v := range values {
				t, err := parseUntil(v, time.Now())
				if err != nil {
					return nil, err
				}
				all = append(all, func(n *network) bool { return n.rec.Created.Before(t) })
			}
		case "dangling":
		default:
			return nil, errdefs.Invalid("invalid filter '%s'", key)
		}
	}
	return every(all), nil
}

func every(all []matcher) matcher {
	return func(n *network) bool {
		for _, match := range all {
			if !match(n) {
				return false
			}
		}
		return true
	}
}

func anyOf(values map[string]bool, match func(*network, string) bool) matcher {
	return func(n *network) bool {
		for v := range values {
			if match(n, v) {
				return true
			}
		}
		return len(values) == 0
	}
}

func everyLabel(values map[string]bool) matcher {
	return func(n *network) bool {
		for v := range values {
			key, want, exact := strings.Cut(v, "=")
			got, ok := n.rec.Labels[key]
			if !ok || (exact && got != want) {
				return false
			}
		}
		return true
	}
}

func oneBool(key string, values map[string]bool) (bool, error) {
	for v := range values {
		b, err := strconv.ParseBool(v)
		if err != nil || len(values) > 1 {
			return false, errdefs.Invalid("invalid filter '%s=%s'", key, v)
		}
		return b, nil
	}
	return false, errdefs.Invalid("invalid filter '%s'", key)
}

// parseUntil reads a Go duration before now, a Unix time in seconds, or a time in RFC 3339.
func parseUntil(s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d), nil
	}
	if sec, err := strconv.ParseFloat(s, 64); err == nil {
		return time.Unix(0, int64(sec*float64(time.Second))), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errdefs.Invalid("invalid filter 'until=%s'", s)
}
