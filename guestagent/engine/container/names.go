//go:build linux

package container

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// names invents names for containers that were given none: a quality and something found in a harbour.
type names struct{ first, second []string }

func newNames() *names {
	return &names{
		first: strings.Fields(`able agile amber ample azure bold brave breezy bright brisk calm clever cosy crisp daring deft eager
			early easy fair fleet fond frank free fresh gentle glad golden grand happy hardy honest jolly keen kind lively loyal
			lucky mellow merry mighty modest neat nimble noble patient placid plucky proud quick quiet ready rosy sage serene
			sharp silent silver sleek smart snug solid sound spry steady still strong sturdy sunny sure swift tidy tranquil trim
			true trusty upbeat valiant vivid warm wise witty young zesty`),
		second: strings.Fields(`anchor ballast barge beacon berth bollard boom bosun bow breaker bridge brig buoy cable canal capstan
			cargo catamaran chart clipper coast compass coral coxswain crane crew current cutter davit deck delta dhow dinghy
			dock dolphin dory ebb estuary fathom fender ferry fjord flag fleet galley gangway gull halyard harbor hatch haven
			hawser heron hull island jetty jib junk kayak keel ketch knot lagoon lantern launch ledge lighthouse lock lugger
			marina mast mole mooring narwhal oar osprey otter packet pearl pelican pier pilot plank port prow punt quay raft
			reef rigging rope rudder sail schooner seal sextant shoal skiff skipper sloop sound spar spray starboard stern
			strait tanker tender tern tide tiller topsail trawler tug vane voyage wake wharf whistle winch yacht yawl`),
	}
}

// pick invents a name; after a few that were taken it adds a number, as docker does.
func (n *names) pick(try int) string {
	name := n.first[rand.IntN(len(n.first))] + "_" + n.second[rand.IntN(len(n.second))]
	if try > 3 {
		name += strconv.Itoa(rand.IntN(10 * try))
	}
	return name
}
