package vnet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/agentapi"
	"github.com/miekg/dns"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
)

// Resolver is the host's, of which net.Resolver is one: it reads the host's files again when they change, and asks the
// system's resolver where there is one, so that VPNs and split DNS hold for the guest.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
	LookupCNAME(ctx context.Context, host string) (string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupNS(ctx context.Context, name string) ([]*net.NS, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

const (
	lookupWithin = 15 * time.Second
	maxLookups   = 256
	ttl          = 5 // seconds: the host's resolver has the true one, and does not tell
)

// own are the names that mean the host, and its gateway.
var own = map[string]string{
	"host.docker.internal.":    agentapi.NetworkHost4,
	"host.berth.internal.":     agentapi.NetworkHost4,
	"gateway.docker.internal.": agentapi.NetworkGateway4,
}

// names answers DNS.
type names struct {
	host    Resolver
	life    context.Context
	places  chan struct{}
	closers []io.Closer
}

// serveNames listens on the gateway's port 53, which is inside the stack.
func (n *Network) serveNames() error {
	n.names = &names{host: n.opt.Resolve, life: n.life, places: make(chan struct{}, maxLookups)}
	for text, proto := range map[string]tcpip.NetworkProtocolNumber{agentapi.NetworkGateway4: ipv4.ProtocolNumber, agentapi.NetworkGateway6: ipv6.ProtocolNumber} {
		at := tcpip.FullAddress{NIC: nic, Addr: address(text), Port: 53}
		pc, err := gonet.DialUDP(n.stack, &at, nil, proto)
		if err != nil {
			return err
		}
		n.names.closers = append(n.names.closers, pc)
		l, err := gonet.ListenTCP(n.stack, at, proto)
		if err != nil {
			return err
		}
		n.names.closers = append(n.names.closers, l)
		for _, s := range []*dns.Server{{PacketConn: pc, Handler: n.names}, {Listener: l, Handler: n.names}} {
			n.parts.Go(func() { _ = s.ActivateAndServe() }) // it ends with what it listens on
		}
	}
	return nil
}

func (s *names) close() {
	if s == nil {
		return
	}
	for _, c := range s.closers {
		_ = c.Close()
	}
}

// ServeDNS answers one question; dns calls it on a goroutine of its own.
func (s *names) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	select {
	case s.places <- struct{}{}:
		ctx, cancel := context.WithTimeout(s.life, lookupWithin)
		m.Answer, m.Rcode = s.answer(ctx, q)
		cancel()
		<-s.places
	default:
		m.Rcode = dns.RcodeServerFailure
	}
	size := dns.MaxMsgSize
	if _, datagram := w.RemoteAddr().(*net.UDPAddr); datagram {
		size = dns.MinMsgSize
		if o := q.IsEdns0(); o != nil {
			size = max(size, int(o.UDPSize()))
			m.SetEdns0(o.UDPSize(), false)
		}
	}
	m.Truncate(size)
	_ = w.WriteMsg(m) // a guest that has gone asks again
}

// answer gives records and the code.
func (s *names) answer(ctx context.Context, q *dns.Msg) ([]dns.RR, int) {
	if len(q.Question) != 1 || q.Opcode != dns.OpcodeQuery || q.Question[0].Qclass != dns.ClassINET {
		return nil, dns.RcodeNotImplemented
	}
	one := q.Question[0]
	if to, ok := own[strings.ToLower(one.Name)]; ok {
		if one.Qtype != dns.TypeA {
			return nil, dns.RcodeSuccess
		}
		return []dns.RR{&dns.A{Hdr: head(one), A: net.ParseIP(to)}}, dns.RcodeSuccess
	}
	records, err := s.lookup(ctx, one)
	var missing *net.DNSError
	switch {
	case err == nil:
		return records, dns.RcodeSuccess
	case errors.As(err, &missing) && missing.IsNotFound:
		if one.Qtype != dns.TypeA && one.Qtype != dns.TypeAAAA && s.exists(ctx, one.Name) {
			return nil, dns.RcodeSuccess // it has nothing of this type
		}
		return nil, dns.RcodeNameError
	}
	return nil, dns.RcodeServerFailure
}

func (s *names) exists(ctx context.Context, name string) bool {
	_, err := s.host.LookupNetIP(ctx, "ip", asHost(name))
	return err == nil
}

// asHost is a name as the host's resolver takes it: one of a single label is completed by its list of domains.
func asHost(name string) string {
	if plain := strings.TrimSuffix(name, "."); !strings.Contains(plain, ".") {
		return plain
	}
	return name
}

func head(q dns.Question) dns.RR_Header {
	return dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: ttl}
}

// lookup asks the host's resolver. A type that it knows nothing of has no records.
func (s *names) lookup(ctx context.Context, q dns.Question) (out []dns.RR, err error) {
	name := asHost(q.Name)
	switch q.Qtype {
	case dns.TypeA, dns.TypeAAAA:
		return s.addresses(ctx, q, name)
	case dns.TypePTR:
		return s.reverse(ctx, q)
	case dns.TypeCNAME:
		var to string
		if to, err = s.host.LookupCNAME(ctx, name); err == nil && !strings.EqualFold(to, q.Name) {
			out = append(out, &dns.CNAME{Hdr: head(q), Target: dns.Fqdn(to)})
		}
	case dns.TypeMX:
		var all []*net.MX
		all, err = s.host.LookupMX(ctx, name)
		for _, r := range all {
			out = append(out, &dns.MX{Hdr: head(q), Preference: r.Pref, Mx: dns.Fqdn(r.Host)})
		}
	case dns.TypeNS:
		var all []*net.NS
		all, err = s.host.LookupNS(ctx, name)
		for _, r := range all {
			out = append(out, &dns.NS{Hdr: head(q), Ns: dns.Fqdn(r.Host)})
		}
	case dns.TypeSRV:
		var all []*net.SRV
		_, all, err = s.host.LookupSRV(ctx, "", "", name)
		for _, r := range all {
			out = append(out, &dns.SRV{Hdr: head(q), Priority: r.Priority, Weight: r.Weight, Port: r.Port, Target: dns.Fqdn(r.Target)})
		}
	case dns.TypeTXT:
		var all []string
		all, err = s.host.LookupTXT(ctx, name)
		for _, r := range all {
			out = append(out, &dns.TXT{Hdr: head(q), Txt: chunks(r)})
		}
	}
	return out, err
}

// addresses looks up both families whichever was asked for: a name that has only the other one exists.
func (s *names) addresses(ctx context.Context, q dns.Question, name string) ([]dns.RR, error) {
	all, err := s.host.LookupNetIP(ctx, "ip", name)
	var out []dns.RR
	for _, a := range all {
		a = a.Unmap()
		switch {
		case q.Qtype == dns.TypeA && a.Is4():
			out = append(out, &dns.A{Hdr: head(q), A: net.IP(a.AsSlice())})
		case q.Qtype == dns.TypeAAAA && a.Is6():
			out = append(out, &dns.AAAA{Hdr: head(q), AAAA: net.IP(a.AsSlice())})
		}
	}
	return out, err
}

func (s *names) reverse(ctx context.Context, q dns.Question) ([]dns.RR, error) {
	a := fromReverse(q.Name)
	if !a.IsValid() {
		return nil, &net.DNSError{Err: "no such host", Name: q.Name, IsNotFound: true}
	}
	all, err := s.host.LookupAddr(ctx, a.String())
	var out []dns.RR
	for _, n := range all {
		out = append(out, &dns.PTR{Hdr: head(q), Ptr: dns.Fqdn(n)})
	}
	return out, err
}

// fromReverse is the address of a name below in-addr.arpa or ip6.arpa; the zero one where it is none.
func fromReverse(name string) netip.Addr {
	labels := dns.SplitDomainName(strings.ToLower(name))
	var text strings.Builder
	switch n := len(labels); {
	case n == 6 && labels[4] == "in-addr" && labels[5] == "arpa":
		return parse(labels[3] + "." + labels[2] + "." + labels[1] + "." + labels[0])
	case n == 34 && labels[32] == "ip6" && labels[33] == "arpa":
		for i := 31; i >= 0; i-- {
			text.WriteString(labels[i])
			if i%4 == 0 && i > 0 {
				text.WriteByte(':')
			}
		}
	}
	return parse(text.String())
}

func parse(text string) netip.Addr {
	a, _ := netip.ParseAddr(text)
	return a
}

// chunks cuts a text into the strings that a TXT record is made of.
func chunks(s string) (out []string) {
	for len(s) > 255 {
		out, s = append(out, s[:255]), s[255:]
	}
	return append(out, s)
}
