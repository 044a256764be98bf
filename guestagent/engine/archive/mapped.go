//go:build linux

package archive

import "github.com/moby/sys/user"

// nobody is whom the container sees as the owner of what is none of its users' (the kernel's overflow id).
const nobody = 65534

// Mapped is the root of a container whose ids are others on the machine: in archives stand the container's.
func (r *Root) Mapped(ids user.IdentityMapping) *Root {
	return &Root{dir: r.dir, name: r.name, ids: ids}
}

// inContainer are the ids that the container sees for those of the machine.
func inContainer(ids user.IdentityMapping, uid, gid int) (int, int) {
	if ids.Empty() {
		return uid, gid
	}
	return oneIn(ids.UIDMaps, uid), oneIn(ids.GIDMaps, gid)
}

func oneIn(list []user.IDMap, id int) int {
	for _, m := range list {
		if at := int64(id) - m.ParentID; at >= 0 && at < m.Count {
			return int(m.ID + at)
		}
	}
	return nobody
}
