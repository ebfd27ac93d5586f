package auth

import "fmt"

// Fallback says what a request gets whose owner no App is installed for.
type Fallback uint8

const (
	// FallbackDefault: the default installation where one is configured
	// (its token reads any public repository), else as FallbackAnonymous.
	FallbackDefault Fallback = iota
	// FallbackAnonymous: reads leave without a credential, the rest is refused.
	FallbackAnonymous
	// FallbackRefuse: everything is refused.
	FallbackRefuse
)

var fallbackNames = []string{"default", "anonymous", "refuse"}

// String returns the word used in the configuration.
func (f Fallback) String() string { return fallbackNames[f] }

// ParseFallback reads the word used in the configuration.
func ParseFallback(s string) (Fallback, error) {
	for i, name := range fallbackNames {
		if s == name {
			return Fallback(i), nil
		}
	}
	return 0, fmt.Errorf("%q is none of default, anonymous, refuse", s)
}
