// Package guestlink is the host's end of the control link: it greets the guest, keeps the link alive, sets the guest's
// clock right and connects again when the link is lost. What travels on the link is internal/agentapi's.
package guestlink
