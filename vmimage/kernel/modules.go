package kernel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/ulikunitz/xz"
)

// stages are the modules that the guest loads, in order. "boot" is before the host can speak with it, "engine" before
// containers can run, "rest" while they do: after it no module can be loaded, so what a container may want is named here.
// A module of a stage ending in "@hv_vmbus" is loaded where that one found its hypervisor, and nowhere else.
func stages() []struct{ stage, modules string } {
	return []struct{ stage, modules string }{
		{"boot", "vmw_vsock_virtio_transport virtio_blk loop erofs"},
		{"boot", "hv_vmbus"},
		{"boot@hv_vmbus", "hv_sock hv_storvsc sd_mod"},
		{"engine", "tun overlay veth bridge br_netfilter nf_tables nft_chain_nat nft_nat nft_masq nft_redir nft_ct nft_fib_inet nft_reject_inet nft_log nft_limit nft_numgen nft_compat nf_conntrack_netlink"},
		{"rest", "virtio_balloon virtio_rng dummy macvlan macvtap ipvlan vxlan wireguard sctp zram binfmt_misc"},
		{"rest", "nft_hash nft_quota nft_connlimit nft_socket nft_tproxy nft_dup_ipv4 nft_flow_offload nf_log_syslog"},
		{"rest", "xt_addrtype xt_conntrack xt_comment xt_tcpudp xt_multiport xt_mark xt_connmark xt_nat xt_MASQUERADE xt_REDIRECT xt_LOG xt_limit xt_statistic xt_owner xt_set xt_TCPMSS"},
		{"rest", "button evdev"},
		{"rest@hv_vmbus", "hv_utils hv_balloon"},
	}
}

// Module is a module of the image.
type Module struct {
	Stage string // as the guest agent knows it
	Name  string
	Needs []string // modules before it, without which it cannot be loaded
	Data  []byte   // uncompressed, without a signature
}

// Modules gives the image's modules in load order.
func (p *Package) Modules() ([]Module, error) {
	o := &order{p: p, has: map[string]bool{}}
	for _, s := range stages() {
		stage, only, _ := strings.Cut(s.stage, "@")
		for _, name := range strings.Fields(s.modules) {
			if err := o.add(stage, only, name); err != nil {
				return nil, err
			}
		}
	}
	return o.out, nil
}

// order puts modules after those that they depend on.
type order struct {
	p   *Package
	out []Module
	has map[string]bool
}

func (o *order) add(stage, only, name string) error {
	if o.has[name] || o.p.builtin[name] {
		return nil
	}
	raw, ok := o.p.modules[name]
	if !ok {
		return fmt.Errorf("the kernel package has no module %s", name)
	}
	o.has[name] = true
	data, err := unpack(raw)
	if err != nil {
		return fmt.Errorf("module %s: %w", name, err)
	}
	needs, err := depends(data)
	if err != nil {
		return fmt.Errorf("module %s: %w", name, err)
	}
	m := Module{Stage: stage, Name: name, Data: data}
	if only != "" {
		m.Needs = append(m.Needs, only)
	}
	for _, n := range needs {
		if err := o.add(stage, only, n); err != nil {
			return err
		}
		if !o.p.builtin[n] && n != only {
			m.Needs = append(m.Needs, n)
		}
	}
	o.out = append(o.out, m)
	return nil
}

// unpack gives a module without compression and signature: checking signatures costs the guest 0.9 s for 32 modules under
// emulation, and the image as a whole is verified by the host.
func unpack(raw []byte) ([]byte, error) {
	r, err := xz.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return stripSignature(b)
}

func stripSignature(b []byte) ([]byte, error) {
	const (
		magic = "~Module signature appended~\n"
		tail  = 12 // struct module_signature, whose last four bytes are the signature's length
	)
	rest, signed := bytes.CutSuffix(b, []byte(magic))
	if !signed {
		return b, nil
	}
	if len(rest) < tail {
		return nil, fmt.Errorf("its signature is damaged")
	}
	n := int64(binary.BigEndian.Uint32(rest[len(rest)-4:]))
	if n > int64(len(rest)-tail) {
		return nil, fmt.Errorf("its signature is damaged")
	}
	return rest[:int64(len(rest))-tail-n], nil
}

// depends reads which modules a module's symbols come from.
func depends(ko []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(ko))
	if err != nil {
		return nil, err
	}
	s := f.Section(".modinfo")
	if s == nil {
		return nil, fmt.Errorf("it says nothing of itself")
	}
	info, err := s.Data()
	if err != nil {
		return nil, err
	}
	for field := range strings.SplitSeq(string(info), "\x00") {
		if list, ok := strings.CutPrefix(field, "depends="); ok {
			return strings.FieldsFunc(strings.ReplaceAll(list, "-", "_"), func(r rune) bool { return r == ',' }), nil
		}
	}
	return nil, nil
}

// List is the text that the guest agent reads: a line each of stage, name and needs.
func List(modules []Module) string {
	var b strings.Builder
	for _, m := range modules {
		fmt.Fprintln(&b, strings.Join(append([]string{m.Stage, m.Name}, m.Needs...), " "))
	}
	return b.String()
}
