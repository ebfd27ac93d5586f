//go:build race

package racetest

// Enabled reports it.
const Enabled = true
