// Package idmap maps the users of containers to users of the machine that own nothing else: it reads the setting
// userns-remap as dockerd does, and makes the user namespaces that hold such a mapping. It imports nothing of the
// engine.
package idmap
