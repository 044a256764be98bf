// Package agentapi is what host agent and guest agent say to each other: vsock ports, versions, messages and their
// framing. It is the only package that both import; it imports neither, and opens no socket itself.
//
// The host dials every stream, the guest listens (see ports.go). On the control port a stream carries frames: four bytes
// of length, big endian, then one JSON object of at most MaxFrame bytes (frame.go). The first frame is the host's hello
// and the second the guest's answer (version.go). After them both ends may ask, answer and tell, in any order (Link):
//
//	op              from    body -> answer                when
//	hello           host    Hello -> Welcome              first, once a stream
//	ping            host    Ping -> Pong                  every HeartbeatEvery; HeartbeatLost without an answer: the link is down
//	time.set        host    Time -> nothing               after the host slept, or the clocks drifted apart
//	status          host    nothing -> Status             on demand
//	memory          host    nothing -> Memory             on demand
//	memory.reclaim  host    Reclaim -> Memory             before the VM is paused
//	disk            host    nothing -> Disk               on demand
//	disk.grow       host    nothing -> Disk               after the disk's file was made larger
//	disk.trim       host    nothing -> Trimmed            now and then: free blocks go back to the host's file
//	mount           host    Mount -> nothing              a share of the host is to appear in the guest
//	unmount         host    Unmount -> nothing            it is to go
//	power           host    Power -> nothing              ordered shutdown; the answer comes before it begins
//	port.open       guest   Port -> nothing               before a container starts: the host must listen, or refuse and say who does
//	port.close      guest   Port -> nothing               it has ended
//	path            guest  PathQuery -> PathAnswer        before a container with a bind mount starts
//	event           guest   Event, no answer              something happened by itself
//
// An op that an end does not know is answered with CodeUnknown, unknown fields are skipped: what is new is asked for
// and, where it is not there, gone without. Features say beforehand what is there.
package agentapi
