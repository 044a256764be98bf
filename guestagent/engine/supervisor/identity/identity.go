//go:build linux

// Package identity resolves the user of a container's process in the container's own passwd and group files. The
// files are hostile: they are opened inside the root only (openat2, RESOLVE_IN_ROOT), must be regular, and are read up
// to a bound. It is the supervisor's, because only there the root is mounted when a container starts.
package identity

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/berthhq/berth/guestagent/engine/inroot"
	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// MaxFile is how much of a passwd or group file is read, in bytes.
const MaxFile = 10 << 20

// Apply resolves name ("", "user", "uid", "user:group" …) and the additional groups in the root filesystem that root
// is a directory of, and fills in the process: its ids, HOME where nothing set it, and, for another user than root,
// no effective or permitted capabilities (docker's rule). Errors name the user or group that was not found.
func Apply(p *specs.Process, root *os.File, name string, groups []string) error {
	passwd, err := read(root, "etc/passwd")
	if err != nil {
		return err
	}
	group, err := read(root, "etc/group")
	if err != nil {
		return err
	}
	eu, err := user.GetExecUser(name, &user.ExecUser{Home: "/"}, bytes.NewReader(passwd), bytes.NewReader(group))
	if err != nil {
		return explain(name, err)
	}
	more, err := user.GetAdditionalGroups(groups, bytes.NewReader(group))
	if err != nil {
		return fmt.Errorf("unable to find group %s: no matching entries in group file", strings.Join(groups, ", "))
	}
	slices.Sort(more) // the library gives them in any order
	if eu.Uid < 0 || eu.Gid < 0 || int64(eu.Uid) > math.MaxInt32 || int64(eu.Gid) > math.MaxInt32 {
		return fmt.Errorf("uids and gids must be in range 0-%d", math.MaxInt32)
	}
	p.User.UID, p.User.GID = uint32(eu.Uid), uint32(eu.Gid)
	p.User.AdditionalGids = gids(eu.Gid, eu.Sgids, more)
	p.Env = withHome(p.Env, eu.Home)
	if p.User.UID != 0 && p.Capabilities != nil {
		c := *p.Capabilities
		c.Effective, c.Permitted, c.Ambient = nil, nil, nil
		p.Capabilities = &c
	}
	return nil
}

// Lookup gives the ids that name stands for, as in Apply.
func Lookup(root *os.File, name string) (uid, gid int, err error) {
	var p specs.Process
	if err := Apply(&p, root, name, nil); err != nil {
		return 0, 0, err
	}
	return int(p.User.UID), int(p.User.GID), nil
}

func explain(name string, err error) error {
	u, g, _ := strings.Cut(name, ":")
	switch {
	case errors.Is(err, user.ErrNoPasswdEntries):
		return fmt.Errorf("unable to find user %s: no matching entries in passwd file", u)
	case errors.Is(err, user.ErrNoGroupEntries):
		return fmt.Errorf("unable to find group %s: no matching entries in group file", g)
	}
	return err
}

// gids is the primary group first, as docker gives it, then the others once each.
func gids(primary int, lists ...[]int) []uint32 {
	out := []uint32{uint32(primary)}
	seen := map[int]bool{primary: true}
	for _, list := range lists {
		for _, g := range list {
			if !seen[g] && g >= 0 {
				seen[g] = true
				out = append(out, uint32(g))
			}
		}
	}
	return out
}

func withHome(env []string, home string) []string {
	if i := slices.IndexFunc(env, func(e string) bool { return strings.HasPrefix(e, "HOME=") }); i >= 0 {
		if env[i] != "HOME=" {
			return env
		}
		env = slices.Delete(slices.Clone(env), i, i+1) // an empty one is none, as for runc
	}
	if home == "" {
		home = "/"
	}
	return append(env[:len(env):len(env)], "HOME="+home)
}

// read returns a regular file's bytes below root, or nothing where it is missing or not a regular file.
func read(root *os.File, name string) ([]byte, error) {
	fd, err := inroot.Open(int(root.Fd()), name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("opening /%s of the container: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxFile))
	if err != nil {
		return nil, fmt.Errorf("reading /%s of the container: %w", name, err)
	}
	return b, nil
}
