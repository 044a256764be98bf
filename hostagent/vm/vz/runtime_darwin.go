package vz

import (
	"fmt"
	goruntime "runtime"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/ebitengine/purego/objc"
)

// Frameworks and libraries of macOS, which live in its shared cache and not as files.
const (
	foundation     = "/System/Library/Frameworks/Foundation.framework/Foundation"
	virtualization = "/System/Library/Frameworks/Virtualization.framework/Virtualization"
	libSystem      = "/usr/lib/libSystem.B.dylib"
	libObjc        = "/usr/lib/libobjc.A.dylib"
)

// native is the Objective-C runtime of this process.
type native struct {
	instanceMethod func(class objc.Class, selector objc.SEL) uintptr
	classMethod    func(class objc.Class, selector objc.SEL) uintptr
	typeEncoding   func(method uintptr) string
	queueCreate    func(label string, attributes uintptr) uintptr
	queueSync      func(queue, context, work uintptr)
	queueRelease   func(queue uintptr)

	delegates objc.Class
	work      uintptr // C's address of run

	mu      sync.Mutex
	names   map[string]objc.SEL
	ended   map[objc.ID]done
	waiting map[uintptr]func()
	last    uintptr
}

// openNative loads the frameworks, once: classes cannot be registered twice.
var openNative = sync.OnceValues(loadNative)

func loadNative() (runtime, error) {
	for _, lib := range []string{foundation, virtualization} {
		if _, err := purego.Dlopen(lib, purego.RTLD_NOW|purego.RTLD_GLOBAL); err != nil {
			return nil, fmt.Errorf("loading %s: %w", lib, err)
		}
	}
	n := &native{names: map[string]objc.SEL{}, ended: map[objc.ID]done{}, waiting: map[uintptr]func(){}}
	for _, f := range []struct {
		lib, name string
		into      any
	}{
		{libObjc, "class_getInstanceMethod", &n.instanceMethod},
		{libObjc, "class_getClassMethod", &n.classMethod},
		{libObjc, "method_getTypeEncoding", &n.typeEncoding},
		{libSystem, "dispatch_queue_create", &n.queueCreate},
		{libSystem, "dispatch_sync_f", &n.queueSync},
		{libSystem, "dispatch_release", &n.queueRelease},
	} {
		lib, err := purego.Dlopen(f.lib, purego.RTLD_NOW|purego.RTLD_GLOBAL)
		if err != nil {
			return nil, fmt.Errorf("loading %s: %w", f.lib, err)
		}
		at, err := purego.Dlsym(lib, f.name)
		if err != nil {
			return nil, fmt.Errorf("finding %s: %w", f.name, err)
		}
		purego.RegisterFunc(f.into, at)
	}
	n.work = purego.NewCallback(n.run)
	var protocols []*objc.Protocol
	if p := objc.GetProtocol("VZVirtualMachineDelegate"); p != nil { // the runtime forgets protocols that nobody adopts
		protocols = append(protocols, p)
	}
	var err error
	n.delegates, err = objc.RegisterClass("BerthMachineDelegate", objc.GetClass("NSObject"), protocols, nil, []objc.MethodDef{
		{Cmd: n.sel("guestDidStopVirtualMachine:"), Fn: func(self objc.ID, _ objc.SEL, _ objc.ID) { n.tell(self, 0) }},
		{Cmd: n.sel("virtualMachine:didStopWithError:"), Fn: func(self objc.ID, _ objc.SEL, _, failure objc.ID) { n.tell(self, object(failure)) }},
	})
	return n, err
}

// tell passes a machine's end on.
func (n *native) tell(delegate objc.ID, failure object) {
	n.mu.Lock()
	f := n.ended[delegate]
	n.mu.Unlock()
	if f != nil {
		f(failure)
	}
}

// sel is a selector by name; the runtime's own table has a lock for all.
func (n *native) sel(name string) objc.SEL {
	n.mu.Lock()
	defer n.mu.Unlock()
	s, ok := n.names[name]
	if !ok {
		s = objc.RegisterName(name)
		n.names[name] = s
	}
	return s
}

func (n *native) class(name string) object { return object(objc.GetClass(name)) }

// isKind also knows what is no class of Objective-C: a queue is what newQueue gave, a delegate what newDelegate did.
func (n *native) isKind(o object, class string) bool {
	switch class {
	case "queue", "delegate":
		return o != 0
	}
	c := objc.GetClass(class)
	if c == 0 {
		return false
	}
	if objc.Class(o) == c { // a class, of which static messages are sent to
		return true
	}
	return isTrue(uintptr(objc.ID(o).Send(n.sel("isKindOfClass:"), c)))
}

// send makes blocks of handlers. The framework copies those that it calls later.
func (n *native) send(to object, selector string, args []any) uintptr {
	out := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case object:
			out[i] = objc.ID(a)
		case *object:
			out[i] = unsafe.Pointer(a)
		case done:
			b := objc.NewBlock(func(_ objc.Block, failure objc.ID) { a(object(failure)) })
			defer b.Release()
			out[i] = b
		case connected:
			b := objc.NewBlock(func(_ objc.Block, connection, failure objc.ID) { a(object(connection), object(failure)) })
			defer b.Release()
			out[i] = b
		default:
			out[i] = a
		}
	}
	return uintptr(objc.ID(to).Send(n.sel(selector), out...))
}

func (n *native) understands(m method) (string, bool) {
	c := objc.GetClass(m.class)
	if c == 0 {
		return "", false
	}
	find := n.instanceMethod
	if m.static {
		find = n.classMethod
	}
	found := find(c, n.sel(m.selector))
	if found == 0 {
		return "", false
	}
	return n.typeEncoding(found), true
}

func (n *native) newString(s string) object {
	return object(objc.ID(objc.GetClass("NSString")).Send(n.sel("stringWithUTF8String:"), s))
}

func (n *native) text(o object) string {
	if o == 0 {
		return ""
	}
	return strings.ToValidUTF8(objc.Send[string](objc.ID(o), n.sel("UTF8String")), "?")
}

// pool holds on to the thread: a pool belongs to one.
func (n *native) pool(f func()) {
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	p := objc.ID(objc.GetClass("NSAutoreleasePool")).Send(n.sel("alloc")).Send(n.sel("init"))
	defer p.Send(n.sel("drain"))
	f()
}

func (n *native) newQueue(label string) object { return object(n.queueCreate(label, 0)) } // serial

func (n *native) releaseQueue(queue object) { n.queueRelease(uintptr(queue)) }

// onQueue hands f over by number: C may not keep a pointer of Go's.
func (n *native) onQueue(queue object, f func()) {
	n.mu.Lock()
	n.last++
	number := n.last
	n.waiting[number] = f
	n.mu.Unlock()
	n.queueSync(uintptr(queue), number, n.work)
}

// run is called by the queue.
func (n *native) run(number uintptr) uintptr {
	n.mu.Lock()
	f := n.waiting[number]
	delete(n.waiting, number)
	n.mu.Unlock()
	n.pool(f)
	return 0
}

// newDelegate keeps its function until the process ends: a process has few machines.
func (n *native) newDelegate(f done) object {
	d := objc.ID(n.delegates).Send(n.sel("alloc")).Send(n.sel("init"))
	n.mu.Lock()
	n.ended[d] = f
	n.mu.Unlock()
	return object(d)
}
