package auth

import "context"

type lookUpsKey struct{}

// LimitLookUps returns a context within which allow is called before GitHub is
// asked about something that only the request names: an owner of whom nothing is
// known, or nothing any more, or the token of an installation that the Want
// chooses, where that is unknown or narrowed. Where it returns an error, GitHub is
// not asked, and the error is what Token or NameOf comes to. It may be called from
// several goroutines.
func LimitLookUps(ctx context.Context, allow func() error) context.Context {
	return context.WithValue(ctx, lookUpsKey{}, allow)
}

// mayAsk is the error of a LimitLookUps above.
func mayAsk(ctx context.Context) error {
	if allow, ok := ctx.Value(lookUpsKey{}).(func() error); ok {
		return allow()
	}
	return nil
}
