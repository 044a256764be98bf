package events

import (
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/events"
)

// Match makes a Filter of the API's filters: key -> values. Values of one key are alternatives, keys add up. The keys
// are those of the Docker Engine API's GET /events.
func Match(filters map[string]map[string]bool) Filter {
	if len(filters) == 0 {
		return nil
	}
	return func(m events.Message) bool {
		for key, values := range filters {
			if len(values) > 0 && !matches(m, key, values) {
				return false
			}
		}
		return true
	}
}

// matches asks for any of the values; of labels for all.
func matches(m events.Message, key string, values map[string]bool) bool {
	all := key == "label"
	for v, wanted := range values {
		if (one(m, key, v) == wanted) != all {
			return !all
		}
	}
	return all
}

func one(m events.Message, key, v string) bool {
	switch key {
	case "event":
		// An action may carry a detail after a colon ("health_status: healthy", "exec_start: sh").
		return string(m.Action) == v || strings.HasPrefix(string(m.Action), v+":")
	case "type":
		return string(m.Type) == v
	case "scope":
		return m.Scope == v
	case "label":
		k, value, has := strings.Cut(v, "=")
		got, ok := m.Actor.Attributes[k]
		return ok && (!has || got == value)
	case "image":
		return image(m, v)
	case "container", "network", "volume", "plugin", "daemon", "service", "node", "secret", "config":
		return v == "" || string(m.Type) == key && named(m, v)
	}
	return false
}

// named compares an object by the beginning of its name or its ID, as docker does; nothing is the beginning of all.
func named(m events.Message, v string) bool {
	v = strings.TrimPrefix(v, "/")
	return strings.HasPrefix(m.Actor.Attributes["name"], v) || strings.HasPrefix(m.Actor.ID, v)
}

// image compares what an image event is about, or a container was made from, with and without a tag.
func image(m events.Message, v string) bool {
	var names []string
	switch m.Type {
	case events.ImageEventType:
		names = []string{m.Actor.ID, m.Actor.Attributes["name"]}
	case events.ContainerEventType:
		names = []string{m.Actor.Attributes["image"]}
	}
	return slices.ContainsFunc(names, func(n string) bool { return n != "" && (n == v || untagged(n) == v) })
}

func untagged(name string) string {
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	return reference.FamiliarName(reference.TrimNamed(ref))
}
