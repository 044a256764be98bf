package paths

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// DefaultMachine is the name of the virtual machine that commands mean when they name none.
const DefaultMachine = "default"

// Machine names what the host keeps of one virtual machine. It belongs to the person, not to the computer: a machine
// needs no root.
type Machine struct {
	Name string
	Dir  string // its own directory, mode 0700
}

// MachinesDir is the directory that holds one directory a machine: below BERTH_ROOT where that is set, else where the
// operating system has a person's data.
func MachinesDir(getenv func(string) string) string {
	if root := getenv(EnvRoot); root != "" {
		if abs, err := filepath.Abs(root); err == nil {
			root = abs
		}
		return filepath.Join(root, "machines")
	}
	home, err := os.UserHomeDir()
	if err != nil || runtime.GOOS == "linux" && os.Geteuid() == 0 {
		home = ""
	}
	return filepath.Join(dataDir(runtime.GOOS, home, getenv), "machines")
}

// dataDir is where a system has a person's data; home is empty where the data is the computer's.
func dataDir(goos, home string, getenv func(string) string) string {
	switch {
	case goos == "windows" && getenv("LOCALAPPDATA") != "":
		return filepath.Join(getenv("LOCALAPPDATA"), "berth")
	case home == "":
		return DefaultRoot
	case goos == "darwin":
		return filepath.Join(home, macData)
	case getenv("XDG_DATA_HOME") != "":
		return filepath.Join(getenv("XDG_DATA_HOME"), "berth")
	}
	return filepath.Join(home, ".local", "share", "berth")
}

// macData is where macOS has a person's data of berth, below home.
const macData = "Library/Application Support/berth"

// SocketDir is where the machine's sockets lie, mode 0700: in its directory, but on macOS, where that name leaves too
// little of the 104 bytes that a socket's may have (unix(4)).
func (m Machine) SocketDir() string { return socketDir(runtime.GOOS, m.Dir) }

func socketDir(goos, dir string) string {
	home, name, ok := strings.Cut(dir, "/"+macData+"/machines/")
	if goos != "darwin" || !ok {
		return dir
	}
	return filepath.Join(home, ".berth", "run", name)
}

// MachineNamed is the layout of one machine.
func MachineNamed(name string, getenv func(string) string) Machine {
	return Machine{Name: name, Dir: filepath.Join(MachinesDir(getenv), name)}
}

// State is what was asked of the machine and what was learnt about it.
func (m Machine) State() string { return filepath.Join(m.Dir, "machine.json") }

// AgentLock is held, with the agent's pid in it, as long as a host agent serves the machine.
func (m Machine) AgentLock() string { return filepath.Join(m.Dir, "agent.lock") }

// AgentSocket is where the host agent takes the verbs of berth machine, mode 0600.
func (m Machine) AgentSocket() string { return filepath.Join(m.SocketDir(), "agent.sock") }

// AgentLog is where a host agent that a command started writes its messages.
func (m Machine) AgentLog() string { return filepath.Join(m.Dir, "agent.log") }

// DockerSocket is the Docker API of the engine in the machine, mode 0600.
func (m Machine) DockerSocket() string { return filepath.Join(m.SocketDir(), "docker.sock") }

// DataDisk is the disk that everything in the machine lives on: a sparse file.
func (m Machine) DataDisk() string { return filepath.Join(m.Dir, "data.img") }

// ShareOwners is the file of owners that containers gave to files of a share which cannot carry them.
func (m Machine) ShareOwners(share string) string {
	return filepath.Join(m.Dir, "share-"+share+".owners")
}

// ShareJournal is the file by which a file server goes on where one before it was killed, for one boot of the guest.
func (m Machine) ShareJournal(share, boot string) string {
	return filepath.Join(m.Dir, "share-"+share+"."+boot+".journal")
}

// ImagesDir holds the boot images that this machine has used: the present one and the one before.
func (m Machine) ImagesDir() string { return filepath.Join(m.Dir, "images") }

// Lock is held, by the kernel's own lock, as long as the machine runs.
func (m Machine) Lock() string { return filepath.Join(m.Dir, "machine.lock") }

// KeeperLock is held by the process that holds the machine.
func (m Machine) KeeperLock() string { return filepath.Join(m.Dir, "keeper.lock") }

// KeeperSocket is where the process answers that holds the machine, mode 0600.
func (m Machine) KeeperSocket() string { return filepath.Join(m.SocketDir(), "keeper.sock") }

// KeeperLog is where that process writes its messages.
func (m Machine) KeeperLog() string { return filepath.Join(m.Dir, "keeper.log") }

// Console is what the guest has written to its console, the newest part of it.
func (m Machine) Console() string { return filepath.Join(m.Dir, "console.log") }

// HyperV is what the machine that runs under Hyper-V was made with, there as long as it runs.
func (m Machine) HyperV() string { return filepath.Join(m.Dir, "hyperv.json") }

// OldConsole is the part before that.
func (m Machine) OldConsole() string { return m.Console() + ".1" }

// MachineAt is the machine whose Docker API a socket is; false where it is none of berth's.
func MachineAt(socket string, getenv func(string) string) (Machine, bool) {
	m := MachineNamed(filepath.Base(filepath.Dir(socket)), getenv)
	return m, m.DockerSocket() == filepath.Clean(socket)
}

// ValidMachine says whether a machine may have the name: it is one of a directory, in which sockets lie.
func ValidMachine(name string) bool {
	if name == "" || len(name) > 32 || name[0] == '.' || name[0] == '-' {
		return false
	}
	for _, c := range name {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return true
}

// Machines are those that have a directory, by name.
func Machines(getenv func(string) string) []Machine {
	dirs, err := os.ReadDir(MachinesDir(getenv))
	if err != nil {
		return nil
	}
	var all []Machine
	for _, d := range dirs {
		if d.IsDir() && ValidMachine(d.Name()) {
			all = append(all, MachineNamed(d.Name(), getenv))
		}
	}
	return all
}
