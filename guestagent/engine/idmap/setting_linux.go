package idmap

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/sys/user"
)

// Etc is where the machine keeps its users and their subordinate ids.
const Etc = "/etc"

// The setting that leaves the user to the engine, and the user it means then: dockerd's.
const (
	byDefault   = "default"
	defaultUser = "dockremap"
)

// Load gives what a setting of userns-remap means by the files in etc: "default", "user", "user:group", or ids in their
// place. The user of "default" is made where it is missing. The mapping of root, or of no setting, is empty: ids stand
// for themselves. The texts of errors are dockerd's.
func Load(etc, setting string) (user.IdentityMapping, error) {
	var none user.IdentityMapping
	if setting == "" {
		return none, nil
	}
	f := files(etc)
	name, group, err := f.names(setting)
	if err != nil || name == "root" {
		return none, err
	}
	u, err := f.user(name)
	if err != nil {
		return none, fmt.Errorf("Can't create ID mappings: could not get user for username %s: %w", name, err)
	}
	uids, err := f.ranges("subuid", name, u.Uid)
	if err != nil {
		return none, fmt.Errorf("Can't create ID mappings: %w", err)
	}
	g, err := f.group(group)
	if err != nil {
		return none, fmt.Errorf("Can't create ID mappings: could not get group %s: %w", group, err)
	}
	gids, err := f.ranges("subgid", group, g.Gid)
	if err != nil {
		return none, fmt.Errorf("Can't create ID mappings: %w", err)
	}
	return user.IdentityMapping{UIDMaps: uids, GIDMaps: gids}, nil
}

// files is the directory of passwd, group, subuid and subgid.
type files string

func (f files) path(name string) string { return filepath.Join(string(f), name) }

// names are the user and the group that a setting names.
func (f files) names(setting string) (name, group string, err error) {
	parts := strings.Split(setting, ":")
	if len(parts) > 2 || parts[0] == "" {
		return "", "", fmt.Errorf("Invalid user/group specification in --userns-remap: %q", setting)
	}
	if name, err = f.userName(parts[0]); err != nil {
		return "", "", err
	}
	if len(parts) == 2 {
		group, err = f.groupName(parts[1])
		return name, group, err
	}
	if id, ok := number(parts[0]); ok { // docker: the group of the same number
		g, err := f.group(strconv.Itoa(id))
		if err != nil {
			return "", "", fmt.Errorf("Gid %d has no entry in /etc/group: %w", id, err)
		}
		return name, g.Name, nil
	}
	g, err := f.group(name)
	if err != nil {
		return "", "", fmt.Errorf("Error during gid lookup for %q: %w", name, err)
	}
	return name, g.Name, nil
}

func (f files) userName(text string) (string, error) {
	if id, ok := number(text); ok {
		u, err := f.user(text)
		if err != nil {
			return "", fmt.Errorf("Uid %d has no entry in /etc/passwd: %w", id, err)
		}
		return u.Name, nil
	}
	if text == byDefault {
		if err := f.ensureUser(defaultUser); err != nil {
			return "", fmt.Errorf("Error during %q user creation: %w", defaultUser, err)
		}
		return defaultUser, nil
	}
	u, err := f.user(text)
	if err != nil {
		return "", fmt.Errorf("Error during uid lookup for %q: %w", text, err)
	}
	return u.Name, nil
}

func (f files) groupName(text string) (string, error) {
	g, err := f.group(text)
	if err == nil {
		return g.Name, nil
	}
	if id, ok := number(text); ok {
		return "", fmt.Errorf("Gid %d has no entry in /etc/passwd: %w", id, err)
	}
	return "", fmt.Errorf("Error during groupname lookup for %q: %w", text, err)
}

func number(text string) (int, bool) {
	n, err := strconv.ParseInt(text, 10, 32)
	return int(n), err == nil
}

// user finds a user by name, or by id where the text is a number.
func (f files) user(text string) (user.User, error) {
	id, numeric := number(text)
	list, err := user.ParsePasswdFileFilter(f.path("passwd"), func(u user.User) bool {
		return numeric && u.Uid == id || !numeric && u.Name == text
	})
	if err == nil && len(list) == 0 {
		err = user.ErrNoPasswdEntries
	}
	if err != nil {
		return user.User{}, err
	}
	return list[0], nil
}

// group finds a group by name, or by id where the text is a number.
func (f files) group(text string) (user.Group, error) {
	id, numeric := number(text)
	list, err := user.ParseGroupFileFilter(f.path("group"), func(g user.Group) bool {
		return numeric && g.Gid == id || !numeric && g.Name == text
	})
	if err == nil && len(list) == 0 {
		err = user.ErrNoGroupEntries
	}
	if err != nil {
		return user.Group{}, err
	}
	return list[0], nil
}
