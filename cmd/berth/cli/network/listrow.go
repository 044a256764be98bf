package network

import (
	"slices"
	"strconv"
	"strings"

	"github.com/docker/cli/cli/command/formatter"
	"github.com/moby/moby/api/types/network"
)

const listTable = "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}"

// listFormat is how the list is written: a table, JSON, a template, or the IDs alone.
func listFormat(source string, quiet bool) formatter.Format {
	switch {
	case quiet && (source == "" || source == formatter.TableFormatKey):
		return "{{.ID}}"
	case source == "" || source == formatter.TableFormatKey:
		return listTable
	}
	return formatter.Format(source)
}

func writeList(ctx formatter.Context, list []network.Summary) error {
	head := &listRow{HeaderContext: formatter.HeaderContext{Header: formatter.SubHeaderContext{
		"ID": "NETWORK ID", "Name": formatter.NameHeader, "Driver": formatter.DriverHeader, "Scope": formatter.ScopeHeader,
		"IPv4": "IPV4", "IPv6": "IPV6", "Internal": "INTERNAL", "Labels": formatter.LabelsHeader, "CreatedAt": formatter.CreatedAtHeader,
	}}}
	return ctx.Write(head, func(row func(formatter.SubContext) error) error {
		for i := range list {
			if err := row(&listRow{trunc: ctx.Trunc, n: list[i]}); err != nil {
				return err
			}
		}
		return nil
	})
}

// listRow is one network, with the columns that templates name.
type listRow struct {
	formatter.HeaderContext
	trunc bool
	n     network.Summary
}

// MarshalJSON gives the columns.
func (r *listRow) MarshalJSON() ([]byte, error) { return formatter.MarshalJSON(r) }

// ID is the network's, its beginning where rows are shortened.
func (r *listRow) ID() string {
	if r.trunc {
		return formatter.TruncateID(r.n.ID)
	}
	return r.n.ID
}

// Name is the network's.
func (r *listRow) Name() string { return r.n.Name }

// Driver is the network's.
func (r *listRow) Driver() string { return r.n.Driver }

// Scope is local for all networks of one machine.
func (r *listRow) Scope() string { return r.n.Scope }

// IPv4 tells whether containers get addresses of IPv4.
func (r *listRow) IPv4() string { return strconv.FormatBool(r.n.EnableIPv4) }

// IPv6 tells whether containers get addresses of IPv6.
func (r *listRow) IPv6() string { return strconv.FormatBool(r.n.EnableIPv6) }

// Internal tells whether the network leads nowhere else.
func (r *listRow) Internal() string { return strconv.FormatBool(r.n.Internal) }

// Labels are all of them, key=value, sorted, with commas between.
func (r *listRow) Labels() string {
	var all []string
	for k, v := range r.n.Labels {
		all = append(all, k+"="+v)
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

// Label is the value of one.
func (r *listRow) Label(name string) string { return r.n.Labels[name] }

// CreatedAt is when the network was made.
func (r *listRow) CreatedAt() string { return r.n.Created.String() }
