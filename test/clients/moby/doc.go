// Package moby tells stories of people who use moby's Go client: files in and out, logs that are followed across a
// rotation, events while containers come and go, figures of a busy container, a build with a cache and a secret, save
// piped to load, a registry that wants a password, a websocket. BERTH_TEST_ENDPOINT=unix:///run/docker.sock runs them
// against the engine there instead of berth, dockerd for example, which must share the network and /tmp with the test:
//
//	BERTH_TEST_ENDPOINT=unix:///run/docker.sock go test -count=1 -v ./test/clients/moby
package moby
