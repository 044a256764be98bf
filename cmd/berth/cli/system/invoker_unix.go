//go:build unix

package system

import (
	"context"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// asInvoker runs berth as the person who called sudo, whose files root does not touch: they may lead anywhere. It gives
// what was printed; ok is false where nobody called sudo.
func asInvoker(ctx context.Context, getenv func(string) string, program string, args ...string) (out string, ok bool, err error) {
	uid, err := strconv.ParseUint(getenv("SUDO_UID"), 10, 32)
	if err != nil || uid == 0 {
		return "", false, nil
	}
	who, err := user.LookupId(strconv.FormatUint(uid, 10))
	if err != nil {
		return "", true, err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return "", true, err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"HOME=" + who.HomeDir, "USER=" + who.Username, "PATH=/usr/local/bin:/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	b, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(b)), true, err
}
