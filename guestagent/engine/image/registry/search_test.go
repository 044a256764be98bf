package registry

import "testing"

func TestSplitTerm(t *testing.T) {
	for term, want := range map[string][2]string{
		"web": {"docker.io", "web"}, "me/web": {"docker.io", "me/web"}, "library/web": {"docker.io", "web"}, "docker.io/web": {"docker.io", "web"},
		"index.docker.io/library/web": {"docker.io", "web"}, "registry.example/a/b": {"registry.example", "a/b"},
		"localhost/x": {"localhost", "x"}, "box:5000/x": {"box:5000", "x"},
	} {
		if domain, word := splitTerm(term); domain != want[0] || word != want[1] {
			t.Errorf("%s: %s, %s", term, domain, word)
		}
	}
}
