package vz

import "fmt"

// object is a reference to an Objective-C object; 0 is nil.
type object uintptr

// Handlers that the framework calls once, on the machine's queue.
type (
	done      func(failure object)
	connected func(connection, failure object)
)

// runtime is the Objective-C runtime with the frameworks loaded. Its methods may be called from any goroutine.
type runtime interface {
	class(name string) object // 0 where this macOS has none
	isKind(o object, class string) bool
	// send sends a message and gives what came back in the register of results. It panics where the receiver does not
	// know it: whoever sends has asked understands.
	send(to object, selector string, args []any) uintptr
	// understands says whether this macOS has a method, and how its runtime writes the method's type.
	understands(m method) (encoding string, ok bool)
	newString(s string) object // owned by the pool
	text(o object) string      // of an NSString
	// pool runs f on a thread of its own pool: what was autoreleased in f is let go afterwards.
	pool(f func())
	newQueue(label string) object
	// onQueue runs f on a queue, within a pool, and returns when it has. Not to be called on the same queue.
	onQueue(queue object, f func())
	releaseQueue(queue object)
	// newDelegate makes an object that is told of a machine's end, on its queue: failure is nil where the guest has ended.
	// It is the caller's to release.
	newDelegate(ended done) object
}

// script is a sequence of messages. After the first mistake it sends nothing more, so that one look at err is enough.
type script struct {
	rt    runtime
	table *table
	err   error
}

// call sends a message: "VZVirtualMachine -state". The answer is 0 once something has gone wrong.
func (s *script) call(to object, name string, args ...any) uintptr {
	if s.err != nil {
		return 0
	}
	m, err := s.table.find(name)
	switch {
	case err != nil:
	case to == 0:
		err = fmt.Errorf("%s is sent to nil", name)
	case !m.static && !s.rt.isKind(to, m.class):
		err = fmt.Errorf("%s is sent to another object", name)
	default:
		err = m.check(args, s.rt.isKind)
	}
	if err != nil {
		s.err = fmt.Errorf("calling the Virtualization framework: %w", err)
		return 0
	}
	return s.rt.send(to, m.selector, args)
}

// static sends a message to a class: "VZVirtualMachine +isSupported".
func (s *script) static(name string, args ...any) uintptr {
	return s.call(s.classOf(name), name, args...)
}

// create makes an object by one of its class's initialisers: "VZLinuxBootLoader -initWithKernelURL:". The pool owns it.
func (s *script) create(name string, args ...any) object {
	return s.autoreleased(s.owned(name, args...))
}

// owned is create of which the caller is the owner. An initialiser that fails gives nil.
func (s *script) owned(name string, args ...any) object {
	raw := s.call(s.classOf(name), "NSObject +alloc")
	return object(s.call(object(raw), name, args...))
}

func (s *script) autoreleased(o object) object {
	if o != 0 {
		s.call(o, "NSObject -autorelease")
	}
	return o
}

func (s *script) classOf(name string) object {
	if s.err != nil {
		return 0
	}
	for i := range name {
		if name[i] == ' ' {
			class := s.rt.class(name[:i])
			if class == 0 {
				s.err = fmt.Errorf("this macOS has no %s", name[:i])
			}
			return class
		}
	}
	s.err = fmt.Errorf("%q is no name of a method", name)
	return 0
}

// array makes an NSArray.
func (s *script) array(of ...object) object {
	a := object(s.static("NSMutableArray +array"))
	for _, o := range of {
		s.call(a, "NSMutableArray -addObject:", o)
	}
	return a
}

// url makes the URL of a file.
func (s *script) url(path string) object {
	return object(s.static("NSURL +fileURLWithPath:", s.rt.newString(path)))
}

// failed is the error that a call has left in an NSError pointer or given to a handler.
func (s *script) failed(what string, failure object) {
	if s.err == nil {
		s.err = fmt.Errorf("%s: %w", what, s.failure(failure))
	}
}

// isTrue reads a BOOL out of the register of results, of which the rest may be anything.
func isTrue(r uintptr) bool { return r&0xff != 0 }
