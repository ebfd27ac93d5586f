//go:build race

package proxy_test

const raceEnabled = true // sync.Pool drops some then
