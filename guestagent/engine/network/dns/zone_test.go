package dns

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// testZone: db and app on "back", app and web on "front"; two containers share the alias "api" on front.
func testZone() *Zone {
	z := NewZone()
	z.Set("db", []Endpoint{{Network: "n1", Domain: "back", Names: []string{"db", "store", "dbhost"}, IPv4: addr("10.1.0.2"), IPv6: addr("fd01::2")}})
	z.Set("app", []Endpoint{
		{Network: "n1", Domain: "back", Names: []string{"app"}, IPv4: addr("10.1.0.3"), Links: map[string]string{"Main": "db"}},
		{Network: "n2", Domain: "front", Names: []string{"app", "api"}, IPv4: addr("10.2.0.3")},
	})
	z.Set("web", []Endpoint{{Network: "n2", Domain: "front", Names: []string{"web", "API"}, IPv4: addr("10.2.0.4")}})
	return z
}

func TestLookup(t *testing.T) {
	z := testZone()
	cases := []struct{ asker, name, want string }{
		{"app", "db", "[10.1.0.2 fd01::2] true"},
		{"app", "STORE.", "[10.1.0.2 fd01::2] true"},
		{"app", "db.back", "[10.1.0.2 fd01::2] true"},
		{"app", "db.front", "[] false"},
		{"app", "main", "[10.1.0.2 fd01::2] true"},
		{"db", "main", "[] false"},
		{"web", "db", "[] false"},
		{"web", "app", "[10.2.0.3] true"},
		{"app", "app", "[10.1.0.3 10.2.0.3] true"},
		{"web", "api", "[10.2.0.3 10.2.0.4] true"},
		{"stranger", "db", "[] false"},
		{"app", "", "[] false"},
	}
	for _, c := range cases {
		addrs, known := z.Lookup(c.asker, c.name)
		if got := fmt.Sprint(addrs, known); got != c.want {
			t.Errorf("%s asks for %q: %s, want %s", c.asker, c.name, got, c.want)
		}
	}
}

func TestReverse(t *testing.T) {
	z := testZone()
	if name, ok := z.Reverse("app", addr("10.1.0.2")); !ok || name != "db.back" {
		t.Errorf("got %q, %v", name, ok)
	}
	for _, asker := range []string{"web", "stranger"} {
		if name, ok := z.Reverse(asker, addr("10.1.0.2")); ok {
			t.Errorf("%s was told %q of another network", asker, name)
		}
	}
}

func TestSetReplacesAndRemoveForgets(t *testing.T) {
	z := testZone()
	z.Set("web", []Endpoint{{Network: "n2", Domain: "front", Names: []string{"shop"}, IPv4: addr("10.2.0.9")}})
	if _, known := z.Lookup("app", "web"); known {
		t.Error("the old name is still known")
	}
	if got, _ := z.Lookup("app", "api"); len(got) != 1 {
		t.Errorf("a shared alias is %v", got)
	}
	if got, _ := z.Lookup("app", "shop"); len(got) != 1 || got[0] != addr("10.2.0.9") {
		t.Errorf("the new name is %v", got)
	}
	for _, c := range []string{"db", "app", "web"} {
		z.Remove(c)
	}
	if len(z.names)+len(z.addrs)+len(z.containers) != 0 {
		t.Errorf("left over: %v %v %v", z.names, z.addrs, z.containers)
	}
}

func TestZoneIsSafeForConcurrentUse(t *testing.T) {
	z := testZone()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			id := fmt.Sprint("c", i)
			for range 200 {
				z.Set(id, []Endpoint{{Network: "n1", Names: []string{id}, IPv4: addr("10.1.1.1")}})
				if got, known := z.Lookup("db", id); !known || len(got) != 1 {
					t.Errorf("%s is %v", id, got)
				}
				z.Remove(id)
			}
		})
	}
	wg.Wait()
}

func TestResolvConf(t *testing.T) {
	in := "# made by hand\nnameserver 192.0.2.1\nnameserver ::1\nnameserver fe80::1%eth0\nnameserver nonsense\ndomain old.example\nsearch a.example b.example ; both\noptions ndots:2 rotate\noptions edns0\nlookup file\n"
	want := "nameserver 192.0.2.1\nnameserver ::1\nnameserver fe80::1%eth0\nsearch a.example b.example\noptions ndots:2 rotate edns0\n"
	rc := ParseResolvConf([]byte(in))
	if rc.String() != want {
		t.Errorf("got\n%s", rc)
	}
	if again := ParseResolvConf([]byte(rc.String())).String(); again != want {
		t.Errorf("not stable:\n%s", again)
	}
	if ParseResolvConf(nil).String() != "" {
		t.Error("an empty file says something")
	}
}

func FuzzResolvConf(f *testing.F) {
	f.Add([]byte("nameserver 1.1.1.1\nsearch x\noptions ndots:0\n"))
	f.Add([]byte("nameserver ::ffff:1.2.3.4 # x\ndomain"))
	f.Fuzz(func(t *testing.T, data []byte) {
		once := ParseResolvConf(data).String()
		if twice := ParseResolvConf([]byte(once)).String(); once != twice {
			t.Errorf("%q becomes %q", once, twice)
		}
		if strings.ContainsAny(once, "#;") {
			t.Errorf("a comment survived: %q", once)
		}
	})
}
