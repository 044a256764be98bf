package hostagent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/internal/agentapi"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/machineapi"
)

// shell joins the request's connection with a stream to the guest's shells. What they say to each other is agentapi's
// Shell; the agent does not look at it. A machine whose engine does not answer has a shell too.
func (a *Agent) shell(w http.ResponseWriter, r *http.Request) {
	guest, err := a.dialShell(r.Context())
	if err != nil {
		answer(w, nil, err)
		return
	}
	defer guest.Close()
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		answer(w, nil, errdefs.System("the connection: %w", err))
		return
	}
	defer conn.Close()
	client, ok := conn.(transport.Half)
	if !ok || buffered.Reader.Buffered() > 0 {
		return // it is no unix socket, or spoke before its turn
	}
	stop := context.AfterFunc(r.Context(), func() { _ = conn.Close(); _ = guest.Close() })
	defer stop()
	if _, err := fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", machineapi.ShellProtocol); err != nil {
		return
	}
	transport.Splice(client, guest)
}

func (a *Agent) dialShell(ctx context.Context) (transport.Conn, error) {
	run := a.left()
	if run == nil {
		return nil, errdefs.Conflict("machine %s is not running", a.cfg.Layout.Name).WithHint("berth machine start")
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	c, err := run.machine.Dial(ctx, agentapi.PortShell)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, errdefs.NotImplemented("machine %s: its image has no shell", a.cfg.Layout.Name).
			WithHint("berth machine restart boots the image that came with this berth")
	case err != nil:
		return nil, errdefs.Unavailable("machine %s: its guest does not take a shell: %w", a.cfg.Layout.Name, err).WithHint("berth machine doctor")
	}
	return c, nil
}
