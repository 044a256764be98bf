//go:build linux || darwin

package vz

import (
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/hostagent/vm/vmtest/guest"
)

// sim is the Objective-C runtime with a framework whose machines are a few goroutines: their guest is package guest. It
// counts references, closes what the real one closes, and is as strict as the real one is about queues.
type sim struct {
	t     *testing.T
	table *table
	macOS int
	// fails makes a method answer with an error, by selector.
	fails map[string]*simError
	// wrong changes what the runtime says of a method's type, by method; empty: it is missing.
	wrong map[string]string

	turn    sync.Mutex // held while a pool is open: one thread for all
	pooled  []object
	current object // the queue that runs now

	mu      sync.Mutex
	objects map[object]*thing
	last    object
	calls   []simCall // everything that was sent
	replay  bool      // objects of calls may be gone
}

type simError struct {
	domain string
	code   int64
	text   string
}

type simCall struct {
	name string
	args []any
}

// thing is an object.
type thing struct {
	class string
	refs  int
	meta  bool // a class itself
	props map[string]any
	items []object
	fd    int // of a connection, which it owns
	run   *simRun
}

// simRun is what a VZVirtualMachine does.
type simRun struct {
	sim      *sim
	self     object
	queue    object
	delegate done

	mu      sync.Mutex
	changed *sync.Cond
	state   int64
	inside  map[*net.UnixConn]bool
	boot    string
}

func newSim(t *testing.T) *sim {
	table, err := knownMethods()
	if err != nil {
		t.Fatal(err)
	}
	return &sim{t: t, table: table, macOS: 15, objects: map[object]*thing{}, fails: map[string]*simError{}, wrong: map[string]string{}}
}

func (s *sim) add(th *thing) object {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.objects[s.last] = th
	return s.last
}

func (s *sim) get(o object) *thing {
	s.mu.Lock()
	defer s.mu.Unlock()
	th := s.objects[o]
	if th == nil {
		if !s.replay {
			s.t.Errorf("a message to object %d, which is gone", o)
		}
		return &thing{class: "NSObject", props: map[string]any{}}
	}
	return th
}

func (s *sim) class(name string) object {
	s.mu.Lock()
	for o, th := range s.objects {
		if th.meta && th.class == name {
			s.mu.Unlock()
			return o
		}
	}
	s.mu.Unlock()
	if _, ok := s.table.super[name]; !ok {
		return 0
	}
	return s.add(&thing{class: name, meta: true})
}

func (s *sim) isKind(o object, class string) bool {
	th := s.get(o)
	return th.class == class || s.table.is(th.class, class)
}

func (s *sim) understands(m method) (string, bool) {
	if enc, ok := s.wrong[m.name()]; ok {
		return enc, enc != ""
	}
	return m.encoding(), m.since <= s.macOS
}

func (s *sim) newString(text string) object {
	o := s.add(&thing{class: "NSString", refs: 1, props: map[string]any{"text": text}})
	s.pooled = append(s.pooled, o)
	return o
}

func (s *sim) text(o object) string {
	if o == 0 {
		return ""
	}
	text, _ := s.get(o).props["text"].(string)
	return text
}

func (s *sim) pool(f func()) { s.within(0, f) }

func (s *sim) within(queue object, f func()) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.current = queue
	f()
	s.current = 0
	pooled := s.pooled
	s.pooled = nil
	for _, o := range pooled {
		s.release(o)
	}
}

func (s *sim) newQueue(string) object         { return s.add(&thing{class: "queue", refs: 1}) }
func (s *sim) releaseQueue(queue object)      { s.release(queue) }
func (s *sim) onQueue(queue object, f func()) { s.get(queue); s.within(queue, f) }
func (s *sim) newDelegate(f done) object {
	return s.add(&thing{class: "delegate", refs: 1, props: map[string]any{"tell": f}})
}

func (s *sim) retain(o object) {
	if o != 0 {
		th := s.get(o)
		s.mu.Lock()
		th.refs++
		s.mu.Unlock()
	}
}

func (s *sim) release(o object) {
	if o == 0 {
		return
	}
	th := s.get(o)
	if th.meta {
		return
	}
	s.mu.Lock()
	th.refs--
	gone := th.refs <= 0
	if gone {
		delete(s.objects, o)
	}
	s.mu.Unlock()
	if !gone {
		return
	}
	if th.class == "VZVirtioSocketConnection" {
		syscall.Close(th.fd)
	}
	for name, p := range th.props {
		if held, ok := p.(object); ok && name != "setDelegate:" {
			s.release(held)
		}
	}
	for _, o := range th.items {
		s.release(o)
	}
}

// live are the objects that there are, classes aside.
func (s *sim) live() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, th := range s.objects {
		if !th.meta {
			names = append(names, th.class)
		}
	}
	slices.Sort(names)
	return names
}

// answers are what the framework says of this computer.
func answers(name string) uintptr {
	switch name {
	case "VZVirtualMachine +isSupported", "VZGenericPlatformConfiguration +isNestedVirtualizationSupported":
		return 0xdead0001 // the rest of the register is anything
	case "VZVirtualMachineConfiguration +maximumAllowedCPUCount":
		return 4
	case "VZVirtualMachineConfiguration +minimumAllowedMemorySize":
		return 4 << 20
	case "VZVirtualMachineConfiguration +maximumAllowedMemorySize":
		return 64 << 30
	case "VZLinuxRosettaDirectoryShare +availability":
		return rosettaPresent
	}
	return 0
}

func (s *sim) send(to object, selector string, args []any) uintptr {
	th := s.get(to)
	sign := " -"
	if th.meta {
		sign = " +"
	}
	m, err := s.table.find(th.class + sign + selector)
	if err != nil {
		s.t.Errorf("unrecognised selector: %v", err) // the real one ends the process
		return 0
	}
	s.mu.Lock()
	s.calls = append(s.calls, simCall{m.name(), args})
	s.mu.Unlock()
	if (th.class == "VZVirtualMachine" || th.class == "VZVirtioSocketDevice") && !th.meta && selector != "release" &&
		!strings.HasPrefix(selector, "init") && s.current != th.run.queue {
		s.t.Errorf("%s away from the machine's queue", m.name())
	}
	if v := answers(m.name()); v != 0 {
		return v
	}
	switch {
	case selector == "alloc":
		return uintptr(s.add(&thing{class: th.class, refs: 1, props: map[string]any{}}))
	case selector == "release":
		s.release(to)
	case selector == "autorelease":
		s.pooled = append(s.pooled, to)
	case strings.HasPrefix(selector, "init"):
		return s.initialise(to, th, selector, args)
	case th.run != nil:
		return s.machine(th, selector, args)
	case selector == "array", selector == "fileURLWithPath:":
		o := s.add(&thing{class: th.class, refs: 1, props: map[string]any{}})
		if len(args) == 1 {
			s.keep(s.get(o), selector, args[0])
		}
		s.pooled = append(s.pooled, o)
		return uintptr(o)
	case selector == "addObject:":
		s.retain(args[0].(object))
		th.items = append(th.items, args[0].(object))
	case selector == "firstObject" && len(th.items) > 0:
		return uintptr(th.items[0])
	case strings.HasPrefix(selector, "set"):
		s.keep(th, selector, args[0])
	case selector == "validateWithError:":
		return s.validate(th, args[0].(*object))
	case selector == "fileDescriptor":
		return uintptr(uint32(th.fd))
	case selector == "code":
		return uintptr(th.props["code"].(int64))
	default:
		if o, ok := th.props[selector].(object); ok {
			return uintptr(o)
		}
	}
	return 0
}

func (s *sim) keep(th *thing, name string, value any) {
	if o, ok := value.(object); ok && name != "setDelegate:" {
		s.retain(o)
	}
	th.props[name] = value
}

func (s *sim) failure(e *simError) object {
	if e == nil {
		return 0
	}
	th := &thing{class: "NSError", refs: 1, props: map[string]any{"code": e.code}}
	o := s.add(th)
	s.pooled = append(s.pooled, o)
	s.keep(th, "domain", s.newString(e.domain))
	s.keep(th, "localizedDescription", s.newString(e.text))
	return o
}

func (s *sim) initialise(to object, th *thing, selector string, args []any) uintptr {
	if e := s.fails[selector]; e != nil {
		*args[len(args)-1].(*object) = s.failure(e)
		s.release(to)
		return 0
	}
	for i, a := range args {
		s.keep(th, selector+string(rune('0'+i)), a)
	}
	if th.class == "VZVirtualMachine" {
		th.run = &simRun{sim: s, self: to, queue: args[1].(object), inside: map[*net.UnixConn]bool{}, boot: time.Now().String()}
		th.run.changed = sync.NewCond(&th.run.mu)
	}
	return uintptr(to)
}

// path is what a URL leads to.
func (s *sim) path(url any) string {
	o, _ := url.(object)
	if o == 0 {
		return ""
	}
	name, _ := s.get(o).props["fileURLWithPath:"].(object)
	return s.text(name)
}

// validate is as strict as is known of the real one, and refuses disks that are not as the project wants them.
func (s *sim) validate(th *thing, failure *object) uintptr {
	refuse := func(text string) uintptr {
		*failure = s.failure(&simError{domainVZ, codeConfig, text})
		return 0
	}
	if e := s.fails["validateWithError:"]; e != nil {
		*failure = s.failure(e)
		return 0
	}
	for _, want := range []string{"setBootLoader:", "setPlatform:", "setCPUCount:", "setMemorySize:", "setStorageDevices:",
		"setSerialPorts:", "setEntropyDevices:", "setMemoryBalloonDevices:", "setSocketDevices:"} {
		if th.props[want] == nil {
			return refuse(want + " was not called")
		}
	}
	boot := s.get(th.props["setBootLoader:"].(object))
	for _, file := range []string{s.path(boot.props["initWithKernelURL:0"]), s.path(boot.props["setInitialRamdiskURL:"])} {
		if _, err := os.Stat(file); file != "" && err != nil {
			return refuse(err.Error())
		}
	}
	for _, d := range s.get(th.props["setStorageDevices:"].(object)).items {
		const sel = "initWithURL:readOnly:cachingMode:synchronizationMode:error:"
		a := s.get(s.get(d).props["initWithAttachment:0"].(object))
		if a.props[sel+"2"] != cachingCached || a.props[sel+"3"] != syncFsync {
			return refuse("a disk that is not cached, or not synced by fsync")
		}
	}
	return 1
}

// serial is the descriptor of the guest's console.
func (s *sim) serial(th *thing) int {
	c := s.get(th.props["initWithConfiguration:queue:0"].(object))
	port := s.get(s.get(c.props["setSerialPorts:"].(object)).items[0])
	a := s.get(port.props["setAttachment:"].(object))
	out := s.get(a.props["initWithFileHandleForReading:fileHandleForWriting:1"].(object))
	return int(out.props["initWithFileDescriptor:0"].(int32))
}

// machine are the methods of a VZVirtualMachine and of its socket device.
func (s *sim) machine(th *thing, selector string, args []any) uintptr {
	r := th.run
	answer := func(state int64) {
		handler, e := args[0].(done), s.fails[selector]
		go func() {
			time.Sleep(time.Millisecond)
			if e == nil {
				r.become(state)
			}
			s.within(r.queue, func() { handler(s.failure(e)) })
		}()
	}
	switch selector {
	case "setDelegate:":
		r.delegate = nil
		if o := args[0].(object); o != 0 {
			r.delegate = s.get(o).props["tell"].(done)
		}
	case "state":
		r.mu.Lock()
		defer r.mu.Unlock()
		return uintptr(r.state)
	case "startWithCompletionHandler:":
		unix.Write(s.serial(th), []byte("Linux version 6.12\n"))
		answer(1)
	case "pauseWithCompletionHandler:":
		answer(2)
	case "resumeWithCompletionHandler:":
		answer(1)
	case "stopWithCompletionHandler:":
		answer(0)
	case "requestStopWithError:":
		if e := s.fails[selector]; e != nil {
			*args[0].(*object) = s.failure(e)
			return 0
		}
		go r.Off()
		return 1
	case "socketDevices":
		if th.props["device"] == nil {
			d := s.add(&thing{class: "VZVirtioSocketDevice", refs: 1, run: r})
			list := s.add(&thing{class: "NSArray", refs: 1, items: []object{d}})
			th.props["device"] = list
		}
		return uintptr(th.props["device"].(object))
	case "connectToPort:completionHandler:":
		go r.connect(args[0].(uint32), args[1].(connected))
	}
	return 0
}

func (r *simRun) become(state int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = state
	if state == stateStopped {
		for c := range r.inside {
			c.Close()
		}
		r.inside = map[*net.UnixConn]bool{}
	}
	r.changed.Broadcast()
}

// connect waits while the machine is paused.
func (r *simRun) connect(port uint32, handler connected) {
	r.mu.Lock()
	for r.state != 1 && r.state != stateStopped {
		r.changed.Wait()
	}
	stopped := r.state == stateStopped
	r.mu.Unlock()
	if stopped || port == guest.Closed {
		r.sim.within(r.queue, func() { handler(0, r.sim.failure(&simError{domainPOSIX, 54, "Connection reset by peer"})) })
		return
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		r.sim.within(r.queue, func() { handler(0, r.sim.failure(&simError{domainPOSIX, 24, err.Error()})) })
		return
	}
	f := os.NewFile(uintptr(fds[1]), "guest")
	c, err := net.FileConn(f)
	f.Close()
	if err != nil {
		r.sim.t.Error(err)
		return
	}
	inside := c.(*net.UnixConn)
	r.mu.Lock()
	if r.state == stateStopped {
		inside.Close()
	} else {
		r.inside[inside] = true
	}
	r.mu.Unlock()
	go guest.Handle(port, inside, r)
	r.sim.within(r.queue, func() {
		o := r.sim.add(&thing{class: "VZVirtioSocketConnection", refs: 1, fd: fds[0], props: map[string]any{}})
		r.sim.pooled = append(r.sim.pooled, o)
		handler(o, 0)
	})
}

// Off is the guest's own end, of which the delegate is told.
func (r *simRun) Off() {
	r.become(stateStopped)
	r.sim.within(r.queue, func() {
		if r.delegate != nil {
			r.delegate(0)
		}
	})
}

// Crash: the guest stands still, its last words are on its console.
func (r *simRun) Crash() {
	r.sim.turn.Lock()
	defer r.sim.turn.Unlock()
	unix.Write(r.sim.serial(r.sim.get(r.self)), []byte("[ 1.0] Kernel panic - not syncing: sysrq triggered crash\n"))
}

// BootID tells one boot from another.
func (r *simRun) BootID() string { return r.boot }
