package stage

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// prepared are the detached mounts that a parked process has made ahead.
type prepared []ready

type ready struct {
	mount *specs.Mount
	fd    int
}

// take gives the mount away, if it is there.
func (p *prepared) take(m *specs.Mount) (fd int, ok bool) {
	for i, r := range *p {
		if reflect.DeepEqual(r.mount, m) {
			*p = slices.Delete(*p, i, i+1)
			return r.fd, true
		}
	}
	return -1, false
}

func prepare(p *Prepare, files []*os.File) (prepared, error) {
	// An own fs_struct for this thread: setns and pivot_root must not see other threads share it.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return nil, step("unsharing the file system state", err)
	}
	if err := enterCgroups(p.Tasks); err != nil {
		return nil, err
	}
	if p.Join {
		return nil, join(files)
	}
	back, err := unix.Open("/proc/thread-self/ns/cgroup", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, step("opening the cgroup namespace", err)
	}
	defer unix.Close(back)
	// Cgroups are mounted in a namespace of our own in any case: what a container sees begins at its own cgroup.
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return nil, step("unsharing the cgroup namespace", err)
	}
	// What the machine unmounts must go away here too, what is mounted here must not show there.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return nil, step("making the machine's mounts slaves", err)
	}
	var out prepared
	for i := range p.Mounts {
		m := &p.Mounts[i]
		fd, err := makeAny(m)
		if err != nil {
			return nil, step(fmt.Sprintf("making %s for %s", m.Type, m.Destination), err)
		}
		if m.Destination == "/dev" {
			if err := populateDev(fd); err != nil {
				return nil, err
			}
		}
		out = append(out, ready{m, fd})
	}
	if !p.CgroupNS {
		if err := unix.Setns(back, unix.CLONE_NEWCGROUP); err != nil {
			return nil, step("going back to the cgroup namespace", err)
		}
	}
	warm()
	return out, nil
}

// warm does now what the first plan would otherwise wait for: the tables of the JSON decoder and of capabilities.
func warm() {
	capNumbers()
	json.Unmarshal([]byte(`{"Spec":{"process":{"user":{},"capabilities":{},"rlimits":[{}]},"Mounts":[{}],"Devices":[{}]}}`), new(Plan))
}

func makeAny(m *specs.Mount) (int, error) {
	if m.Type == "cgroup" {
		return makeCgroups(m)
	}
	return makeMount(m)
}

func enterCgroups(tasks []string) error {
	for _, name := range tasks {
		fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			_, err = unix.Write(fd, []byte("0"))
			unix.Close(fd)
		}
		if err != nil {
			return step("entering cgroup "+name, err)
		}
	}
	return nil
}
