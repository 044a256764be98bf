package container

import (
	"context"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/berthhq/berth/cmd/berth/cli/session"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/go-archive"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

type copyOptions struct{ follow, archive, quiet bool }

func newCopy(s *session.Session) *cobra.Command {
	var o copyOptions
	c := &cobra.Command{Use: "cp [OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n  berth cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH", Short: "Copy files/folders between a container and the local filesystem", Args: cobra.ExactArgs(2), ValidArgsFunction: complete(s, true)}
	c.RunE = func(c *cobra.Command, args []string) error {
		from, src := splitCopy(args[0])
		to, dst := splitCopy(args[1])
		switch {
		case from != "" && to != "":
			return errdefs.Invalid("copying between containers is not supported")
		case from != "":
			return copyOut(c.Context(), s, &o, from, src, dst)
		case to != "":
			return copyIn(c.Context(), s, &o, src, to, dst)
		}
		return errdefs.Invalid("must specify at least one container source")
	}
	f := c.Flags()
	f.BoolVarP(&o.follow, "follow-link", "L", false, "Always follow symbol link in SRC_PATH")
	f.BoolVarP(&o.archive, "archive", "a", false, "Archive mode (copy all uid/gid information)")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "Suppress progress output during copy")
	return c
}

// splitCopy takes "container:path" apart; an absolute or relative path is one of this machine.
func splitCopy(arg string) (container, file string) {
	if filepath.IsAbs(arg) || strings.HasPrefix(arg, ".") {
		return "", arg
	}
	name, rest, ok := strings.Cut(arg, ":")
	if !ok {
		return "", arg
	}
	return name, rest
}

func copyOut(ctx context.Context, s *session.Session, o *copyOptions, name, src, dst string) error {
	cl, err := s.Client()
	if err != nil {
		return err
	}
	info := archive.CopyInfo{Path: src, Exists: true}
	if o.follow {
		st, err := cl.ContainerStatPath(ctx, name, client.ContainerStatPathOptions{Path: src})
		if err == nil && st.Stat.Mode&os.ModeSymlink != 0 {
			target := st.Stat.LinkTarget
			if !path.IsAbs(target) {
				target = path.Join(path.Dir(src), target)
			}
			info.Path, info.RebaseName = archive.GetRebaseName(src, target)
		}
	}
	r, err := cl.CopyFromContainer(ctx, name, client.CopyFromContainerOptions{SourcePath: info.Path})
	if err != nil {
		return err
	}
	defer r.Content.Close()
	if dst == "-" {
		_, err := io.Copy(s.Out, r.Content)
		return err
	}
	info.IsDir = r.Stat.Mode.IsDir()
	content := r.Content
	if info.RebaseName != "" { // the file keeps the link's name
		_, base := archive.SplitPathDirEntry(info.Path)
		content = archive.RebaseArchiveEntries(content, base, info.RebaseName)
		defer content.Close()
	}
	return archive.CopyTo(content, info, dst)
}

func copyIn(ctx context.Context, s *session.Session, o *copyOptions, src, name, dst string) error {
	cl, err := s.Client()
	if err != nil {
		return err
	}
	info := archive.CopyInfo{Path: dst}
	st, err := cl.ContainerStatPath(ctx, name, client.ContainerStatPathOptions{Path: dst})
	if err == nil && st.Stat.Mode&os.ModeSymlink != 0 {
		target := st.Stat.LinkTarget
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(dst), target)
		}
		info.Path = target
		st, err = cl.ContainerStatPath(ctx, name, client.ContainerStatPathOptions{Path: target})
	}
	if err == nil {
		info.Exists, info.IsDir = true, st.Stat.Mode.IsDir()
	}
	opts := client.CopyToContainerOptions{DestinationPath: info.Path, CopyUIDGID: o.archive}
	if src == "-" {
		opts.Content = s.In
		if !info.IsDir {
			return errdefs.Invalid("destination \"%s:%s\" must be a directory", name, dst)
		}
		_, err := cl.CopyToContainer(ctx, name, opts)
		return err
	}
	from, err := archive.CopyInfoSourcePath(src, o.follow)
	if err != nil {
		return errdefs.Invalid("%w", err)
	}
	content, err := archive.TarResource(from)
	if err != nil {
		return err
	}
	defer content.Close()
	dir, prepared, err := archive.PrepareArchiveCopy(content, from, info)
	if err != nil {
		return errdefs.Invalid("%w", err)
	}
	defer prepared.Close()
	opts.DestinationPath, opts.Content = dir, prepared
	_, err = cl.CopyToContainer(ctx, name, opts)
	return err
}
