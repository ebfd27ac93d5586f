// Package docs has the pages that the program itself can show.
package docs

import _ "embed" // for the pages

// Refusals is refusals.md: every refusal there is. TestRefusals writes it.
//
//go:embed refusals.md
var Refusals string
