//go:build linux

package build

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// gitAddress is what the classic builder takes for a repository's address: one with a scheme or a host of Git's, or a
// web address that ends in .git.
var gitAddress = regexp.MustCompile(`^(git://|git@|github\.com/|https?://.*\.git(#.+)?$)`)

// cloneContext makes a context of a Git repository: ADDRESS[#[REF][:DIRECTORY]]. close removes it.
func cloneContext(ctx context.Context, l paths.Layout, address, dockerfile string) (c *buildContext, err error) {
	top, err := os.MkdirTemp(l.Tmp(), "build-context-")
	if err != nil {
		return nil, errdefs.System("the build's context: %w", err)
	}
	c = &buildContext{top: top}
	defer c.closeOn(&err)()
	if strings.HasPrefix(address, "github.com/") {
		address = "https://" + address
	}
	address, fragment, _ := strings.Cut(address, "#")
	ref, sub, _ := strings.Cut(fragment, ":")
	if ref == "" {
		ref = "HEAD"
	}
	if err := checkout(ctx, top, address, ref); err != nil {
		return nil, err
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(top, filepath.Join("/", sub)))
	if err != nil {
		return nil, errdefs.Invalid("the build's context: %w", err)
	}
	if dir != top && !strings.HasPrefix(dir, top+"/") {
		return nil, errdefs.Invalid("the build's context: %s is not in the repository", sub)
	}
	if c.root, err = os.Open(dir); err != nil {
		return nil, errdefs.System("the build's context: %w", err)
	}
	return c, c.find(dockerfile)
}

// checkout brings the files of one revision into a directory, without its history where the server can do that.
func checkout(ctx context.Context, dir, address, ref string) error {
	if err := git(ctx, dir, "init", "-q"); err != nil {
		return err
	}
	err := git(ctx, dir, "fetch", "-q", "--depth", "1", "--", address, ref)
	if err != nil && ctx.Err() == nil {
		err = git(ctx, dir, "fetch", "-q", "--", address, ref)
	}
	if err != nil && ctx.Err() == nil { // a revision that has no name: all that has one may lead to it
		if all := git(ctx, dir, "fetch", "-q", "--", address, "+refs/*:refs/remotes/origin/*"); all == nil {
			err = git(ctx, dir, "update-ref", "FETCH_HEAD", ref)
		}
	}
	if err == nil {
		err = git(ctx, dir, "checkout", "-q", "FETCH_HEAD", "--")
	}
	if err == nil {
		err = git(ctx, dir, "submodule", "update", "-q", "--init", "--recursive", "--depth=1")
	}
	return err
}

// git runs the program without anybody's configuration, and never asks.
func git(ctx context.Context, dir string, args ...string) error {
	c := exec.CommandContext(ctx, "git", args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME=/dev/null", "GIT_PROTOCOL_FROM_USER=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	out, err := c.CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return errdefs.System("building from a Git repository needs the program git on the engine's PATH")
	case err != nil:
		return errdefs.Invalid("git %s: %s: %w", args[0], strings.TrimSpace(string(out)), err)
	}
	return nil
}
