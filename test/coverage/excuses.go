package main

import "regexp"

// reason says why rows need no test.
type reason struct {
	rows *regexp.Regexp // of "endpoint kind name"
	why  string
}

var reasons = []reason{
	{regexp.MustCompile(` (request|response) (.*\.)?(CpuCount|CpuPercent|CPUCount|CPUPercent|IOMaximumIOps|IOMaximumBandwidth|Isolation|CredentialSpec)$`), "Windows only"},
	{regexp.MustCompile(` response (.*\.)?(storage_stats|num_procs|read_count_normalized|read_size_bytes|write_count_normalized|write_size_bytes|commitbytes|commitpeakbytes|privateworkingset)(\..*)?$`), "Windows only"},
	{regexp.MustCompile(` response (.*\.)?(Swarm\..*|ClusterVolume(\..*)?|ClusterVolumeSpec(\..*)?)$`), "only in a swarm"},
	{regexp.MustCompile(` request ClusterVolumeSpec(\..*)?$`), "only in a swarm"},
	{regexp.MustCompile(`^PUT /volumes/\{name\} `), "only in a swarm"},
}

// excuse is why a row needs no test, "" where it does.
func excuse(e *endpoint, r row) string {
	for _, x := range reasons {
		if x.rows.MatchString(e.key + " " + string(r.kind) + " " + r.name) {
			return x.why
		}
	}
	return ""
}
