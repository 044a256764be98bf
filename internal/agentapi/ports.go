package agentapi

// The guest's vsock ports. Streams other than those of control and the Docker API begin with an Open frame and its
// answer, and are bytes from there on.
const (
	PortControl = 1025 // frames: Link
	PortDocker  = 1026 // each stream is one connection to the engine's socket, byte for byte, half-closes included
	PortForward = 1027 // each stream is one connection (or one UDP client) to a published port
	PortFiles   = 1028 // /dev/fuse requests from the relay to the host's file server
	PortNetwork = 1029 // Ethernet frames between the guest's TAP and the host's virtual network
	PortParked  = 1030 // opened ahead by the host; the guest takes one when a process of its own wants the host
	PortShell   = 1031 // a root shell, see Shell
)

// The addresses that vsock gives to both ends.
const (
	HostCID = 2 // VMADDR_CID_HOST: the only peer that guest listeners accept
)
