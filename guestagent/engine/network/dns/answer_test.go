package dns

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func pack(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func question(name string, qtype uint16) *dns.Msg {
	return new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
}

func answer(t testing.TB, r *Responder, q *dns.Msg, tcp bool) *dns.Msg {
	t.Helper()
	out := r.Answer(context.Background(), pack(t, q), tcp)
	if out == nil {
		t.Fatal("no answer")
	}
	m := new(dns.Msg)
	if err := m.Unpack(out); err != nil {
		t.Fatal(err)
	}
	if m.Id != q.Id || !m.Response {
		t.Errorf("answer has id %d for %d, response %v", m.Id, q.Id, m.Response)
	}
	return m
}

func text(m *dns.Msg) string {
	var out []string
	for _, rr := range m.Answer {
		out = append(out, strings.ReplaceAll(rr.String(), "\t", " "))
	}
	return dns.RcodeToString[m.Rcode] + " " + strings.Join(out, "; ")
}

func TestAnswersAboutContainers(t *testing.T) {
	outside := func(_ context.Context, q *dns.Msg, _ bool) *dns.Msg {
		return new(dns.Msg).SetRcode(q, dns.RcodeRefused)
	}
	r := &Responder{Zone: testZone(), Container: "app", Forward: outside}
	cases := []struct {
		name  string
		qtype uint16
		want  string
	}{
		{"db", dns.TypeA, "NOERROR db. 600 IN A 10.1.0.2"},
		{"DB", dns.TypeA, "NOERROR DB. 600 IN A 10.1.0.2"},
		{"db", dns.TypeAAAA, "NOERROR db. 600 IN AAAA fd01::2"},
		{"web", dns.TypeAAAA, "NOERROR "},
		{"web", dns.TypeMX, "NOERROR "},
		{"2.0.1.10.in-addr.arpa", dns.TypePTR, "NOERROR 2.0.1.10.in-addr.arpa. 600 IN PTR db.back."},
		{"9.0.1.10.in-addr.arpa", dns.TypePTR, "REFUSED "},
		{"example.com", dns.TypeA, "REFUSED "},
	}
	for _, c := range cases {
		if got := text(answer(t, r, question(c.name, c.qtype), false)); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.name, dns.TypeToString[c.qtype], got, c.want)
		}
	}
	chaos := question("db", dns.TypeA)
	chaos.Question[0].Qclass = dns.ClassCHAOS
	if got := text(answer(t, r, chaos, false)); got != "REFUSED " {
		t.Errorf("another class: %q", got)
	}
}

func TestNothingIsAskedOutsideForIsolatedContainers(t *testing.T) {
	r := &Responder{Zone: testZone(), Container: "db"}
	if got := text(answer(t, r, question("example.com", dns.TypeA), false)); got != "NXDOMAIN " {
		t.Errorf("got %q", got)
	}
}

func TestNobodyAnswersOutside(t *testing.T) {
	r := &Responder{Zone: testZone(), Container: "db", Forward: func(context.Context, *dns.Msg, bool) *dns.Msg { return nil }}
	if got := text(answer(t, r, question("example.com", dns.TypeA), false)); got != "SERVFAIL " {
		t.Errorf("got %q", got)
	}
}

func TestLongAnswersAreTruncatedForUDPOnly(t *testing.T) {
	z := NewZone()
	for i := range 60 {
		id := string(rune('A' + i))
		z.Set(id, []Endpoint{{Network: "n", Names: []string{"crowd"}, IPv4: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})}})
	}
	r := &Responder{Zone: z, Container: "A"}
	udp, tcp := answer(t, r, question("crowd", dns.TypeA), false), answer(t, r, question("crowd", dns.TypeA), true)
	if !udp.Truncated || len(udp.Answer) >= 60 || tcp.Truncated || len(tcp.Answer) != 60 {
		t.Errorf("udp: %d answers, truncated %v; tcp: %d, %v", len(udp.Answer), udp.Truncated, len(tcp.Answer), tcp.Truncated)
	}
	big := question("crowd", dns.TypeA)
	big.SetEdns0(4096, false)
	if m := answer(t, r, big, false); m.Truncated || len(m.Answer) != 60 {
		t.Errorf("EDNS0: %d answers, truncated %v", len(m.Answer), m.Truncated)
	}
}

func TestOddMessages(t *testing.T) {
	r := &Responder{Zone: testZone(), Container: "app"}
	two := question("db", dns.TypeA)
	two.Question = append(two.Question, two.Question[0])
	if m := answer(t, r, two, false); m.Rcode != dns.RcodeFormatError {
		t.Errorf("two questions: %v", m.Rcode)
	}
	update := question("db", dns.TypeA)
	update.Opcode = dns.OpcodeUpdate
	if m := answer(t, r, update, false); m.Rcode != dns.RcodeNotImplemented {
		t.Errorf("an update: %v", m.Rcode)
	}
	reply := new(dns.Msg).SetReply(question("db", dns.TypeA))
	for _, packet := range [][]byte{nil, {1}, []byte("GET / HTTP/1.1"), pack(t, reply)} {
		if out := r.Answer(context.Background(), packet, false); out != nil {
			t.Errorf("%q was answered", packet)
		}
	}
}

func TestParseReverse(t *testing.T) {
	six := "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.d.f.ip6.arpa."
	for in, want := range map[string]string{
		"2.0.1.10.in-addr.arpa": "10.1.0.2", "2.0.1.10.IN-ADDR.ARPA.": "10.1.0.2", six: "fd01::2",
		"1.10.in-addr.arpa": "", "256.0.1.10.in-addr.arpa": "", "x.0.1.10.in-addr.arpa": "", "ip6.arpa": "", "db": "", strings.Replace(six, "d.f", "df", 1): "",
	} {
		a, ok := ParseReverse(in)
		if (want == "") == ok || (ok && a.String() != want) {
			t.Errorf("%s: %v, %v; want %q", in, a, ok, want)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(pack(f, question("db", dns.TypeA)), false)
	f.Add(pack(f, question("2.0.1.10.in-addr.arpa", dns.TypePTR)), true)
	edns := question("db.back", dns.TypeAAAA)
	edns.SetEdns0(1, true)
	f.Add(pack(f, edns), false)
	r := &Responder{Zone: testZone(), Container: "app", Forward: func(_ context.Context, q *dns.Msg, _ bool) *dns.Msg {
		return new(dns.Msg).SetRcode(q, dns.RcodeNameError)
	}}
	f.Fuzz(func(t *testing.T, packet []byte, tcp bool) {
		out := r.Answer(context.Background(), packet, tcp)
		if out == nil {
			return
		}
		m := new(dns.Msg)
		if err := m.Unpack(out); err != nil || !m.Response || out[0] != packet[0] || out[1] != packet[1] {
			t.Errorf("answer %x to %x: %v", out, packet, err)
		}
	})
}

func FuzzParseReverse(f *testing.F) {
	f.Add("2.0.1.10.in-addr.arpa.")
	f.Add("0.0.0.0.ip6.arpa")
	f.Fuzz(func(t *testing.T, name string) {
		a, ok := ParseReverse(name)
		if !ok {
			return
		}
		back, err := dns.ReverseAddr(a.String())
		if err != nil {
			t.Fatal(err)
		}
		if b, ok := ParseReverse(back); !ok || b.Unmap() != a.Unmap() {
			t.Errorf("%q is %v, and %q is %v", name, a, back, b)
		}
	})
}
