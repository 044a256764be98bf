// Package nft keeps berth's packet rules: one nftables table of our own, in which rules grow with bridges' kinds and
// never with containers. Everything that changes with a container is an element of a map, so that adding or removing
// one is a single small atomic batch. It never looks at other programs' tables; package foreign does.
//
// The table (family inet; ifname sets hold the bridges):
//
//	raw          prerouting, raw     drop what claims to come from or go to 127/8 but did not come in by lo
//	prerouting   nat, dstnat         local address, not 127/8: dnat by the maps of published ports
//	output       nat, -100           local address: dnat by the maps, 127/8 included (route_localnet is on the bridges only)
//	forward      filter              between bridges: nothing but replies and published ports; see rules.go
//	postrouting  nat, srcnat         masquerade: loopback and hairpin to the bridge, the rest to the outside
package nft
