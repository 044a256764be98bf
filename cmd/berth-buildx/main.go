// Command berth-buildx is docker's buildx, the client of BuildKit: "berth build", "berth buildx" and the builds of
// Compose are carried out by it, with the engine's address in DOCKER_HOST or DOCKER_CONTEXT. It is a module of its own,
// as berth-compose is, and for the same reasons. Under the name docker-buildx, in one of docker's directories for
// plug-ins, it serves "docker buildx" and "docker build" as well. Builders in Kubernetes and in the cloud are left out.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/docker/buildx/commands"
	"github.com/docker/buildx/util/cobrautil"
	"github.com/docker/buildx/util/desktop"
	"github.com/docker/buildx/version"
	dockercli "github.com/docker/cli/cli"
	"github.com/docker/cli/cli-plugins/metadata"
	"github.com/docker/cli/cli-plugins/plugin"
	"github.com/docker/cli/cli/command"
	solvererrdefs "github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/grpcerrors"
	"github.com/moby/buildkit/util/stack"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel"
	"google.golang.org/grpc/codes"

	_ "github.com/docker/buildx/driver/docker"
	_ "github.com/docker/buildx/driver/docker-container"
	_ "github.com/docker/buildx/driver/remote"

	_ "github.com/moby/buildkit/util/grpcutil/encoding/proto" // the codec of BuildKit's messages
)

func main() {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) // that nobody collects traces is no news to a person
	stack.SetVersionInfo(version.Version, version.Revision)     // set by the Makefile from go.mod
	cli, err := command.NewDockerCli()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := run(cli); err != nil {
		os.Exit(report(cli.Err(), err))
	}
}

func run(cli *command.DockerCli) error {
	if plugin.RunningStandalone() {
		root := commands.NewRootCmd("buildx", false, cli)
		root.Annotations[cobra.CommandDisplayNameAnnotation] = "berth buildx"
		tls, args := splitTLS(os.Args[1:])
		if len(tls) > 0 {
			if err := useTLS(cli, root, tls); err != nil {
				return err
			}
		}
		root.SetArgs(args)
		return root.Execute()
	}
	return plugin.RunPlugin(cli, commands.NewRootCmd("buildx", true, cli), metadata.Metadata{
		SchemaVersion: "0.1.0", Vendor: "Docker Inc.", Version: version.Version,
	})
}

// report prints an error, with the lines of the Dockerfile that it stands at, and gives the exit code, which is buildx's:
// 100 for a fault inside BuildKit, 102 where a resource ran out, 130 for an interrupted build, else 1 or the error's own.
func report(out io.Writer, err error) int {
	var status dockercli.StatusError
	if errors.As(err, &status) {
		if status.Status != "" {
			fmt.Fprintln(out, status.Status)
		}
		return max(status.StatusCode, 1)
	}
	var exit cobrautil.ExitCodeError
	if errors.As(err, &exit) {
		return int(exit)
	}
	for _, source := range solvererrdefs.Sources(err) {
		_ = source.Print(out)
	}
	fmt.Fprintf(out, "ERROR: %v\n", err)
	var ref *desktop.ErrorWithBuildRef
	if errors.As(err, &ref) {
		_ = ref.Print(out)
	}
	switch grpcerrors.Code(err) {
	case codes.Internal:
		return 100
	case codes.ResourceExhausted:
		return 102
	case codes.Canceled:
		return 130
	}
	return 1
}
