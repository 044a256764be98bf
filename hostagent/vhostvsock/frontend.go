//go:build linux

package vhostvsock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Features that are offered: those of the rings, version 1, and the protocol's own.
const (
	featIndirect = 1 << 28
	featEventIdx = 1 << 29
	featProtocol = 1 << 30
	featVersion1 = 1 << 32
	offered      = featIndirect | featEventIdx | featProtocol | featVersion1

	protoReplyAck = 1 << 3
	protoConfig   = 1 << 9
	offeredProto  = protoReplyAck | protoConfig
)

// The two rings that a back end has; QEMU keeps the third, for events, to itself.
const (
	rxRing = 0 // towards the guest
	txRing = 1 // from it
	rings  = 2
)

// frontend is the hypervisor's connection: it sets the rings up, starts and stops them.
type frontend struct {
	d        *Device
	features uint64
	mem      *memory
}

// Serve speaks with the hypervisor until it goes. Afterwards every stream has failed and none can be opened: a machine
// that is restarted gets a new device.
func (d *Device) Serve(c *net.UnixConn) error {
	f := &frontend{d: d}
	err := f.serve(c)
	d.end(err)
	for i := range rings {
		f.stop(i)
		q := d.ring(i)
		q.mu.Lock()
		if q.call != nil {
			q.call.Close()
		}
		q.call, q.mem, q.desc, q.avail, q.used = nil, nil, nil, nil, nil
		q.mu.Unlock()
	}
	f.mem.unmap()
	return err
}

func (f *frontend) serve(c *net.UnixConn) error {
	for {
		m, err := read(c)
		if err != nil {
			return fmt.Errorf("vsock device: %w", err)
		}
		answer, err := f.handle(m)
		m.close()
		if err != nil {
			err = fmt.Errorf("vsock device: request %d: %w", m.request, err)
		}
		if answer == nil && m.flags&flagNeedReply != 0 {
			answer = number(0)
			if err != nil {
				f.d.logf("%v", err)
				answer, err = number(1), nil
			}
		}
		if err == nil && answer != nil {
			err = reply(c, m.request, answer)
		}
		if err != nil {
			return err
		}
	}
}

func (f *frontend) handle(m *message) (answer []byte, err error) {
	switch m.request {
	case getFeatures:
		return number(offered), nil
	case setFeatures:
		if f.features = m.u64(); f.features&^offered != 0 {
			return nil, fmt.Errorf("features %#x were not offered", f.features&^offered)
		}
	case getProtocolFeatures:
		return number(offeredProto), nil
	case getQueueNum:
		return number(rings), nil
	case setProtocolFeatures, setOwner, resetOwner, setVringErr, setConfig:
	case getConfig:
		return f.config(m.payload)
	case setMemTable:
		return nil, f.memory(m)
	case setVringNum, setVringAddr, setVringBase, getVringBase, setVringKick, setVringCall, setVringEnable:
		return f.ring(m)
	default:
		return nil, errors.New("not known")
	}
	return nil, nil
}

// config answers with the device's only field, the guest's address.
func (f *frontend) config(p []byte) ([]byte, error) {
	const head = 12 // offset, size, flags
	if len(p) < head {
		return nil, errors.New("it is too short")
	}
	offset, n := binary.LittleEndian.Uint32(p), binary.LittleEndian.Uint32(p[4:])
	cid := number(f.d.cid)
	if uint64(offset)+uint64(n) > uint64(len(cid)) || len(p) < head+int(n) {
		return nil, fmt.Errorf("%d bytes at %d of the configuration", n, offset)
	}
	copy(p[head:], cid[offset:offset+n])
	return p[:head+n], nil
}

// memory takes a new table. Rings that are in use go on in it.
func (f *frontend) memory(m *message) error {
	const entry = 32
	if len(m.payload) < 8 {
		return errors.New("it is too short")
	}
	n := int(binary.LittleEndian.Uint32(m.payload))
	if n != len(m.files) || len(m.payload) < 8+entry*n {
		return fmt.Errorf("%d regions of memory with %d files", n, len(m.files))
	}
	table := &memory{}
	for i, file := range m.files {
		p := m.payload[8+entry*i:]
		num := func(at int) uint64 { return binary.LittleEndian.Uint64(p[at:]) }
		r, err := mapRegion(int(file.Fd()), num(0), num(16), num(8), num(24))
		if err != nil {
			table.unmap()
			return err
		}
		table.regions = append(table.regions, r)
	}
	for i := range rings {
		f.d.ring(i).mu.Lock()
		defer f.d.ring(i).mu.Unlock()
	}
	var errs []error
	for i := range rings {
		errs = append(errs, f.d.ring(i).move(f.mem, table))
	}
	f.mem.unmap()
	f.mem = table
	return errors.Join(errs...)
}

// queue is a ring with its mutex.
type queue struct {
	mu sync.Mutex
	vring
	addr [3]uint64 // desc, used, avail, as the hypervisor named them
}

// move finds the ring in a new table.
func (q *queue) move(_, to *memory) error {
	q.mem = to
	if q.desc == nil {
		return nil
	}
	published, used := q.published, q.usedIdx
	err := q.setAddr(q.addr[0], q.addr[1], q.addr[2])
	if err != nil {
		q.desc, q.avail, q.used = nil, nil, nil
		return err
	}
	q.published, q.usedIdx = published, used
	return nil
}

func (f *frontend) ring(m *message) ([]byte, error) {
	if len(m.payload) < 8 {
		return nil, errors.New("it is too short")
	}
	i, n := m.ringState()
	i &^= noFile
	if m.request == setVringKick || m.request == setVringCall {
		i &= 0xff
	}
	if i >= rings {
		return nil, fmt.Errorf("there is no ring %d", i)
	}
	q := f.d.ring(int(i))
	switch m.request {
	case getVringBase:
		f.stop(int(i))
		q.mu.Lock()
		defer q.mu.Unlock()
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, i), uint32(q.last)), nil
	case setVringKick:
		f.stop(int(i))
		return nil, f.start(int(i), m)
	case setVringEnable:
		return nil, f.enable(int(i), n != 0)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch m.request {
	case setVringNum:
		return nil, q.setNum(n)
	case setVringBase:
		q.last = uint16(n)
	case setVringAddr:
		if len(m.payload) < 40 {
			return nil, errors.New("it is too short")
		}
		for k := range q.addr {
			q.addr[k] = binary.LittleEndian.Uint64(m.payload[8+8*k:])
		}
		return nil, q.setAddr(q.addr[0], q.addr[1], q.addr[2])
	case setVringCall:
		if q.call != nil {
			q.call.Close()
		}
		q.call = m.file()
		if q.call != nil {
			signal(q.call) // what was given before nobody listened
		}
	}
	return nil, nil
}
