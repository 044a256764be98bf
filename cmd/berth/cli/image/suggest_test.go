package image

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"nginx:latest", "nginx:1.27", "postgres:16", "registry.example/team/app:v1"}
	for typed, want := range map[string]string{
		"ngnix": "nginx:1.27", "nginz": "nginx:1.27", "postgras": "postgres:16", "postgres:15": "postgres:16",
		"registry.example/team/apq": "registry.example/team/app:v1", "redis": "", "nginx": "",
	} {
		if got := nearest(typed, append([]string{}, names...)); got != want {
			t.Errorf("%s: %q, want %q", typed, got, want)
		}
	}
}
