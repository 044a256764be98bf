// Package ports carries published ports between the engine and the host. The engine asks, before a container starts, on
// a unix socket; the host is asked and listens; its connections come as streams, which begin with whose they are, and go
// on to the container. What is open is kept here: the engine may be killed meanwhile, and a host agent that comes anew
// is told everything again.
package ports
