//go:build linux

package netd

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/berthhq/berth/guestagent/engine/network/dns"
	"github.com/berthhq/berth/guestagent/engine/network/netns"
)

// upstreamTimeout bounds one try at one server, shorter than a C library's five seconds for its own.
const upstreamTimeout = 4 * time.Second

// upstream is a server outside.
type upstream struct {
	addr  netip.AddrPort
	netns string // path of the namespace to ask from; empty: the host's
}

// ask tries the servers in order. A server that fails or refuses leaves the question to the next; the last answer
// counts. The reply is the server's own, whole.
func ask(ctx context.Context, servers []upstream, query *mdns.Msg, tcp bool) *mdns.Msg {
	var last *mdns.Msg
	for _, s := range servers {
		reply, err := s.exchange(ctx, query, tcp)
		if err != nil || ctx.Err() != nil {
			continue
		}
		last = reply
		if reply.Rcode == mdns.RcodeSuccess || reply.Rcode == mdns.RcodeNameError {
			break
		}
	}
	return last
}

func (u upstream) exchange(ctx context.Context, query *mdns.Msg, tcp bool) (*mdns.Msg, error) {
	network := "udp"
	if tcp {
		network = "tcp"
	}
	conn, err := u.dial(network)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	client := mdns.Client{Net: network, Timeout: upstreamTimeout}
	reply, _, err := client.ExchangeWithConnContext(ctx, query.Copy(), &mdns.Conn{Conn: conn, UDPSize: udpSize(query)})
	return reply, err
}

func udpSize(query *mdns.Msg) uint16 {
	if opt := query.IsEdns0(); opt != nil {
		return max(opt.UDPSize(), mdns.MinMsgSize)
	}
	return mdns.MinMsgSize
}

// dial opens the socket in the right namespace; once open it belongs there.
func (u upstream) dial(network string) (conn net.Conn, err error) {
	dial := func() error {
		conn, err = net.DialTimeout(network, u.addr.String(), upstreamTimeout)
		return err
	}
	if u.netns == "" {
		return conn, dial()
	}
	return conn, netns.Do(u.netns, dial)
}

// hostResolvers are the nameservers of the host, read again when their file changes.
type hostResolvers struct {
	path string

	mu      sync.Mutex
	checked time.Time
	mtime   time.Time
	size    int64
	list    []netip.Addr
}

// resolvConfCheck is how long the file is trusted without a look at it.
const resolvConfCheck = time.Second

func newHostResolvers(path string) *hostResolvers {
	if path == "" {
		path = "/etc/resolv.conf"
	}
	return &hostResolvers{path: path}
}

func (h *hostResolvers) servers() []netip.Addr {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.checked) < resolvConfCheck {
		return h.list
	}
	h.checked = time.Now()
	st, err := os.Stat(h.path)
	if err != nil || (st.ModTime().Equal(h.mtime) && st.Size() == h.size) {
		return h.list
	}
	data, err := os.ReadFile(h.path)
	if err != nil {
		return h.list
	}
	h.mtime, h.size = st.ModTime(), st.Size()
	h.list = dns.ParseResolvConf(data).Servers
	return h.list
}
