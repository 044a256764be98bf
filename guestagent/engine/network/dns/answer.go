package dns

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// ttl of answers about containers, in seconds; docker's.
const ttl = 600

// Forward asks the world outside. It returns nil where there is nobody to ask or nobody answers.
type Forward func(ctx context.Context, query *dns.Msg, tcp bool) *dns.Msg

// Responder answers one container's queries.
type Responder struct {
	Zone      *Zone
	Container string
	Forward   Forward // nil: a container of internal networks, for which nothing exists outside
}

// Answer handles one message as it came from the wire and returns the reply, or nil for what is no query at all.
func (r *Responder) Answer(ctx context.Context, packet []byte, tcp bool) []byte {
	query := new(dns.Msg)
	if err := query.Unpack(packet); err != nil || query.Response {
		return nil
	}
	reply := r.reply(ctx, query, tcp)
	reply.Id = query.Id
	reply.Compress = true
	if !tcp {
		size := dns.MinMsgSize
		if opt := query.IsEdns0(); opt != nil {
			size = max(size, int(opt.UDPSize()))
		}
		reply.Truncate(size)
	}
	out, err := reply.Pack()
	if err != nil {
		out, err = new(dns.Msg).SetRcode(query, dns.RcodeServerFailure).Pack()
	}
	if err != nil {
		return nil
	}
	return out
}

func (r *Responder) reply(ctx context.Context, query *dns.Msg, tcp bool) *dns.Msg {
	if query.Opcode != dns.OpcodeQuery {
		return new(dns.Msg).SetRcode(query, dns.RcodeNotImplemented)
	}
	if len(query.Question) != 1 {
		return new(dns.Msg).SetRcode(query, dns.RcodeFormatError)
	}
	if local := r.local(query); local != nil {
		return local
	}
	if r.Forward == nil {
		return new(dns.Msg).SetRcode(query, dns.RcodeNameError)
	}
	if answer := r.Forward(ctx, query, tcp); answer != nil {
		return answer
	}
	return new(dns.Msg).SetRcode(query, dns.RcodeServerFailure)
}

// local answers what is about containers, or returns nil.
func (r *Responder) local(query *dns.Msg) *dns.Msg {
	q := query.Question[0]
	reply := new(dns.Msg).SetReply(query)
	reply.RecursionAvailable = true
	if q.Qclass != dns.ClassINET {
		return nil
	}
	head := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: ttl}
	if q.Qtype == dns.TypePTR {
		addr, ok := ParseReverse(q.Name)
		if !ok {
			return nil
		}
		name, ok := r.Zone.Reverse(r.Container, addr)
		if !ok {
			return nil
		}
		reply.Answer = append(reply.Answer, &dns.PTR{Hdr: head, Ptr: dns.Fqdn(name)})
		return reply
	}
	addrs, known := r.Zone.Lookup(r.Container, q.Name)
	if !known {
		return nil
	}
	for _, a := range addrs {
		switch {
		case q.Qtype == dns.TypeA && a.Is4():
			reply.Answer = append(reply.Answer, &dns.A{Hdr: head, A: a.AsSlice()})
		case q.Qtype == dns.TypeAAAA && a.Is6():
			reply.Answer = append(reply.Answer, &dns.AAAA{Hdr: head, AAAA: a.AsSlice()})
		}
	}
	rand.Shuffle(len(reply.Answer), func(i, j int) { reply.Answer[i], reply.Answer[j] = reply.Answer[j], reply.Answer[i] })
	return reply
}

// ParseReverse reads the address out of a name below in-addr.arpa or ip6.arpa.
func ParseReverse(name string) (netip.Addr, bool) {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if rest, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		return parseLabels(rest, 4, 10)
	}
	if rest, ok := strings.CutSuffix(name, ".ip6.arpa"); ok {
		return parseLabels(rest, 32, 16)
	}
	return netip.Addr{}, false
}

// parseLabels reads n labels, the last one first: octets in decimal, or nibbles in hexadecimal.
func parseLabels(s string, n, base int) (netip.Addr, bool) {
	labels := strings.Split(s, ".")
	if len(labels) != n {
		return netip.Addr{}, false
	}
	b := make([]byte, 0, n)
	for i := n - 1; i >= 0; i-- {
		bits := 8
		if base == 16 {
			bits = 4
		}
		v, err := strconv.ParseUint(labels[i], base, bits)
		if err != nil || (base == 16 && len(labels[i]) != 1) {
			return netip.Addr{}, false
		}
		b = append(b, byte(v))
	}
	if base == 16 {
		for i := range 16 {
			b[i] = b[2*i]<<4 | b[2*i+1]
		}
		b = b[:16]
	}
	return netip.AddrFromSlice(b)
}
