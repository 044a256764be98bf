// Package ui serves the window: a page in the browser of the person who runs it, and a bridge from that page to an
// engine's Docker API. It runs as the person and never in the engine, listens on 127.0.0.1 alone, and must not trust
// anything that connects there: every page of the browser, every other user of the computer and, over the host's
// addresses, every container may try. It knows no container and keeps no state of them.
//
//	GET  /, /assets/...   the page; no token, since there is nothing of the person's in it
//	POST /session         a token that works once, for one of the tab's            once.go
//	*    /engine/...      the Docker API, what allow.go lists of it                bridge.go
//	GET  /stream          a websocket: one request whose answer does not end       stream.go
//	POST /ticket          an address that a download works at, once                ticket.go
//	GET  /download/...    the download
//	*    /local/...       the person's computer: folders, ports, machines          local.go
//
// Order of checks, each in guard.go: Host, then Origin and Sec-Fetch-Site, then the token. Cookies are neither set nor
// read: they know no port, and what a container publishes on 127.0.0.1 would be sent them.
package ui
