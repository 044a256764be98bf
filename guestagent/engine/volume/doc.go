// Package volume keeps named and anonymous volumes: the local driver, reference counts, copy-up from the image.
package volume
