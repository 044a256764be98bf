// Package image holds the verbs that work on images, one a file. It talks to the engine through the API's client
// alone and knows nothing of how an engine works.
package image
