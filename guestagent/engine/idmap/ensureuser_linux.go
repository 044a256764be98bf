package idmap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

// What a new user is given: the next free range of so many ids, dockerd's numbers, and a number from those of the system.
const (
	firstRange  = 100000
	rangeSize   = 65536
	maxSystemID = 999
	minSystemID = 100
)

// ensureUser makes what is missing of a user that nobody can log in as: its entries in passwd and group, and its
// subordinate ids. The files are locked as passwd(1) does (lckpwdf(3)).
func (f files) ensureUser(name string) error {
	lock, err := os.OpenFile(f.path(".pwd.lock"), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.FcntlFlock(lock.Fd(), unix.F_SETLKW, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		return fmt.Errorf("locking %s: %w", lock.Name(), err)
	}
	if err := f.ensureEntries(name); err != nil {
		return err
	}
	u, err := f.user(name)
	if err != nil {
		return err
	}
	g, err := f.group(name)
	if err != nil {
		return err
	}
	if err := f.ensureRange("subuid", name, u.Uid); err != nil {
		return err
	}
	return f.ensureRange("subgid", name, g.Gid)
}

// ensureEntries makes the group before the user, which names it.
func (f files) ensureEntries(name string) error {
	g, err := f.group(name)
	if errors.Is(err, user.ErrNoGroupEntries) {
		id, ferr := f.freeID()
		if ferr != nil {
			return ferr
		}
		g.Gid, err = id, f.add("group", fmt.Sprintf("%s:x:%d:\n", name, id))
	}
	if err != nil {
		return err
	}
	_, err = f.user(name)
	if !errors.Is(err, user.ErrNoPasswdEntries) {
		return err
	}
	id, err := f.freeID()
	if err != nil {
		return err
	}
	return f.add("passwd", fmt.Sprintf("%s:*:%d:%d::/:/bin/false\n", name, id, g.Gid))
}

// freeID is a system number that neither a user nor a group of another name has.
func (f files) freeID() (int, error) {
	taken := map[int]bool{}
	users, err := user.ParsePasswdFile(f.path("passwd"))
	if err != nil {
		return 0, err
	}
	for _, u := range users {
		taken[u.Uid] = true
	}
	groups, err := user.ParseGroupFile(f.path("group"))
	if err != nil {
		return 0, err
	}
	for _, g := range groups {
		taken[g.Gid] = true
	}
	for id := maxSystemID; id >= minSystemID; id-- {
		if !taken[id] {
			return id, nil
		}
	}
	return 0, fmt.Errorf("no id from %d to %d is free", minSystemID, maxSystemID)
}

// ensureRange gives a name a range behind all others, where it has none.
func (f files) ensureRange(file, name string, id int) error {
	if _, err := f.ranges(file, name, id); err == nil {
		return nil
	}
	list, err := user.ParseSubIDFile(f.path(file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	start := int64(firstRange)
	for _, s := range list {
		start = max(start, s.SubID+s.Count)
	}
	return f.add(file, fmt.Sprintf("%s:%d:%d\n", name, start, rangeSize))
}

// add puts a line at the end of a file, with one write.
func (f files) add(file, line string) error {
	old, err := os.ReadFile(f.path(file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(old) > 0 && old[len(old)-1] != '\n' {
		line = "\n" + line
	}
	to, err := os.OpenFile(f.path(file), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if _, err = to.WriteString(line); err == nil {
		err = to.Sync()
	}
	return errors.Join(err, to.Close())
}
