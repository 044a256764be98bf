// Package fields checks what the API answers field by field: against what was asked for, the kernel's own files, and
// the images as they were pushed. docs/api-coverage.md is made from what its tests ask.
package fields
