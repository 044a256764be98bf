// Package ui tells a newcomer's story in the window, in Chromium, against the built programs and a real engine. It wants
// node, Chromium and what `npm ci` in web/ brings; where one of them is missing its tests are skipped.
package ui
