//go:build linux

package nft

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/engine/network/ipam"
)

// Bridge is what the rules need to know of one bridge network.
type Bridge struct {
	Name       string // of the interface
	Subnets    []netip.Prefix
	Internal   bool // nothing passes between it and anywhere else
	Masquerade bool // its containers' connections to the outside get the host's address
	ICC        bool // its containers may talk to each other
}

// Port is one published port.
type Port struct {
	Proto     uint8      // IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP
	Host      netip.Addr // unspecified: every address of the host of that family
	HostPort  uint16
	Container netip.AddrPort // of Host's family
}

// Table is our table in the network namespace it was opened in. Its methods may be called concurrently; each is one
// atomic transaction of the kernel.
type Table struct {
	mu   sync.Mutex
	conn *nftables.Conn
	t    *nftables.Table

	bridges, internal, masquerade *nftables.Set // by interface name
	icc                           *nftables.Set // by incoming and outgoing interface: a bridge with itself
	local4, local6                *nftables.Set // by source address and outgoing interface: a bridge's own subnets
	ports                         map[portMap]*nftables.Set
}

// portMap selects one of the maps of published ports.
type portMap struct{ v6, any bool }

// Open connects to the kernel. The table is made by Reset.
func Open(name string) (*Table, error) {
	conn, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return nil, fmt.Errorf("opening nftables: %w", err)
	}
	t := &Table{conn: conn, t: &nftables.Table{Name: name, Family: nftables.TableFamilyINet}}
	t.declare()
	return t, nil
}

// Close ends the connection; the rules stay.
func (t *Table) Close() error { return t.conn.CloseLasting() }

func (t *Table) declare() {
	set := func(name string, key nftables.SetDatatype) *nftables.Set {
		return &nftables.Set{Table: t.t, Name: name, KeyType: key, KeyByteOrder: binaryutil.NativeEndian}
	}
	t.bridges = set("bridges", nftables.TypeIFName)
	t.internal = set("internal", nftables.TypeIFName)
	t.masquerade = set("masquerade", nftables.TypeIFName)
	t.icc = set("icc", nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeIFName))
	t.local4 = set("local4", nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeIFName))
	t.local6 = set("local6", nftables.MustConcatSetType(nftables.TypeIP6Addr, nftables.TypeIFName))
	t.icc.Concatenation, t.local4.Concatenation, t.local6.Concatenation = true, true, true
	t.local4.Interval, t.local6.Interval = true, true
	t.ports = map[portMap]*nftables.Set{}
	for _, v6 := range []bool{false, true} {
		addr, suffix := nftables.TypeIPAddr, "4"
		if v6 {
			addr, suffix = nftables.TypeIP6Addr, "6"
		}
		target := nftables.MustConcatSetType(addr, nftables.TypeInetService)
		byAddr := set("ports"+suffix, nftables.MustConcatSetType(addr, nftables.TypeInetProto, nftables.TypeInetService))
		byPort := set("anyports"+suffix, nftables.MustConcatSetType(nftables.TypeInetProto, nftables.TypeInetService))
		for _, m := range []*nftables.Set{byAddr, byPort} {
			m.IsMap, m.DataType, m.Concatenation = true, target, true
		}
		t.ports[portMap{v6, false}], t.ports[portMap{v6, true}] = byAddr, byPort
	}
}

func (t *Table) sets() []*nftables.Set {
	all := []*nftables.Set{t.bridges, t.internal, t.masquerade, t.icc, t.local4, t.local6}
	for _, m := range t.ports {
		all = append(all, m)
	}
	return all
}

// Reset makes the table anew with exactly these bridges and ports, in one transaction: no packet ever sees half of it.
func (t *Table) Reset(bridges []Bridge, ports []Port) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conn.AddTable(t.t)
	t.conn.DelTable(t.t)
	t.conn.AddTable(t.t)
	for _, s := range t.sets() {
		if err := t.conn.AddSet(s, nil); err != nil {
			return fmt.Errorf("nftables set %s: %w", s.Name, err)
		}
	}
	t.addRules()
	for _, b := range bridges {
		if err := t.each(b, t.conn.SetAddElements); err != nil {
			return err
		}
	}
	if err := t.change(ports, t.conn.SetAddElements); err != nil {
		return err
	}
	return t.flush("making nftables table " + t.t.Name)
}

// Delete removes the table.
func (t *Table) Delete() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conn.AddTable(t.t) // so that deleting what is not there is no error
	t.conn.DelTable(t.t)
	return t.flush("deleting nftables table " + t.t.Name)
}

// AddBridge lets a bridge's containers out, as far as b says.
func (t *Table) AddBridge(b Bridge) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.each(b, t.conn.SetAddElements); err != nil {
		return err
	}
	return t.flush("nftables rules of bridge " + b.Name)
}

// RemoveBridge undoes AddBridge; b must be the same.
func (t *Table) RemoveBridge(b Bridge) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.each(b, t.conn.SetDeleteElements); err != nil {
		return err
	}
	return t.flush("nftables rules of bridge " + b.Name)
}

// Publish adds ports; one that is already published differently is an error, and then none is added.
func (t *Table) Publish(ports []Port) error {
	if len(ports) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.change(ports, t.conn.SetAddElements); err != nil {
		return err
	}
	return t.flush("nftables rules of published ports")
}

// Unpublish removes ports that were published.
func (t *Table) Unpublish(ports []Port) error {
	if len(ports) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.change(ports, t.conn.SetDeleteElements); err != nil {
		return err
	}
	return t.flush("nftables rules of published ports")
}

func (t *Table) flush(what string) error {
	if err := t.conn.Flush(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

type setChange func(*nftables.Set, []nftables.SetElement) error

// each applies change to every set that b belongs to.
func (t *Table) each(b Bridge, change setChange) error {
	name := ifname(b.Name)
	elems := map[*nftables.Set][]nftables.SetElement{t.bridges: {{Key: name}}}
	if b.Internal {
		elems[t.internal] = []nftables.SetElement{{Key: name}}
	} else if b.Masquerade {
		elems[t.masquerade] = []nftables.SetElement{{Key: name}}
	}
	if b.ICC {
		elems[t.icc] = []nftables.SetElement{{Key: append(ifname(b.Name), name...)}}
	}
	for _, p := range b.Subnets {
		set := t.local4
		if p.Addr().Is6() {
			set = t.local6
		}
		first, last := p.Masked().Addr().AsSlice(), ipam.Last(p).AsSlice()
		elems[set] = append(elems[set], nftables.SetElement{Key: append(first, name...), KeyEnd: append(last, name...)})
	}
	for set, e := range elems {
		if err := change(set, e); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) change(ports []Port, change setChange) error {
	elems := map[*nftables.Set][]nftables.SetElement{}
	for _, p := range ports {
		m := t.ports[portMap{p.Container.Addr().Is6(), p.Host.IsUnspecified()}]
		elems[m] = append(elems[m], p.element())
	}
	for m, e := range elems {
		if err := change(m, e); err != nil {
			return err
		}
	}
	return nil
}

func (p Port) element() nftables.SetElement {
	var key []byte
	if !p.Host.IsUnspecified() {
		key = p.Host.AsSlice()
	}
	key = append(key, p.Proto, 0, 0, 0)
	key = append(key, port(p.HostPort)...)
	return nftables.SetElement{Key: key, Val: append(p.Container.Addr().AsSlice(), port(p.Container.Port())...)}
}

// port is a port number as a field of a concatenation: network order, padded to four bytes.
func port(n uint16) []byte { return []byte{byte(n >> 8), byte(n), 0, 0} }

func ifname(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}
