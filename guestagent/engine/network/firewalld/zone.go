//go:build linux

package firewalld

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Names of firewalld's D-Bus interface.
const (
	name       = "org.fedoraproject.FirewallD1"
	path       = "/org/fedoraproject/FirewallD1"
	configPath = "/org/fedoraproject/FirewallD1/config"
)

// Zones: ours, and one of firewalld's own that accepts everything too.
const (
	ownZone = "berth"
	trusted = "trusted"
)

// runs says whether firewalld runs and has the packets of our network namespace: a bus may reach over namespaces.
func (f *Follower) runs(ctx context.Context) bool {
	var pid uint32
	call := f.bus.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetConnectionUnixProcessID", 0, name)
	if call.Store(&pid) != nil {
		return false
	}
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	ours, err2 := os.Readlink("/proc/self/ns/net")
	return err == nil && err2 == nil && theirs == ours
}

// zone is the zone to bind to. Ours is added to the permanent configuration, which firewalld reads at its next reload;
// until then it is firewalld's own. A reload of our making would lose what somebody set at run time.
func (f *Follower) zone(ctx context.Context) (string, error) {
	var zones []string
	if err := f.call(ctx, path, "zone.getZones", &zones); err != nil {
		return "", fmt.Errorf("firewalld: listing zones: %w", err)
	}
	if slices.Contains(zones, ownZone) {
		return ownZone, nil
	}
	settings := map[string]dbus.Variant{
		"target": dbus.MakeVariant("ACCEPT"), "short": dbus.MakeVariant(ownZone),
		"description": dbus.MakeVariant("Bridges of containers; berth's own nftables table says what may pass."),
	}
	if err := f.call(ctx, configPath, "config.addZone2", nil, ownZone, settings); err != nil && !is(err, "NAME_CONFLICT") {
		return "", fmt.Errorf("firewalld: adding zone %s: %w", ownZone, err)
	}
	return trusted, nil
}

// add binds a bridge. One that somebody has put into another zone stays there.
func (f *Follower) add(ctx context.Context, zone, bridge string) error {
	err := f.call(ctx, path, "zone.addInterface", nil, zone, bridge)
	if err != nil && !is(err, "ZONE_ALREADY_SET", "ALREADY_ENABLED", "ZONE_CONFLICT") {
		return fmt.Errorf("firewalld: binding interface %s to zone %s: %w", bridge, zone, err)
	}
	return nil
}

// remove takes a bridge out of the zone it was bound to.
func (f *Follower) remove(ctx context.Context, bridge string) error {
	for _, zone := range []string{ownZone, trusted} {
		err := f.call(ctx, path, "zone.removeInterface", nil, zone, bridge)
		if err == nil {
			return nil
		}
		if !is(err, "UNKNOWN_INTERFACE", "NOT_ENABLED", "ZONE_CONFLICT", "INVALID_ZONE") {
			return fmt.Errorf("firewalld: releasing interface %s: %w", bridge, err)
		}
	}
	return nil
}

// call calls a method of firewalld and stores its answer, if that is wanted.
func (f *Follower) call(ctx context.Context, object dbus.ObjectPath, method string, answer any, args ...any) error {
	ctx, done := context.WithTimeout(ctx, patience)
	defer done()
	call := f.bus.Object(name, object).CallWithContext(ctx, name+"."+method, dbus.FlagNoAutoStart, args...)
	if call.Err != nil || answer == nil {
		return call.Err
	}
	return call.Store(answer)
}

// is says whether an error is one of firewalld's, whose message begins with its code.
func is(err error, codes ...string) bool {
	var e dbus.Error
	if !errors.As(err, &e) || len(e.Body) == 0 {
		return false
	}
	text, _ := e.Body[0].(string)
	code, _, _ := strings.Cut(text, ":")
	return slices.Contains(codes, code)
}
