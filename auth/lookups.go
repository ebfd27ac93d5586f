package auth

import "context"

type lookUpsKey struct{}

// lookUpLimit is what LimitLookUps attaches to a context.
type lookUpLimit struct {
	who   string
	allow func(context.Context) error
}

// LimitLookUps returns a context within which allow is called before GitHub is
// asked about something that only the request names: an owner of whom nothing is
// known, or nothing any more, or the token of an installation that the Want
// chooses, where that is unknown or narrowed, or one that is narrowed to just what the
// Want names. It is called once for each question,
// however many requests of who wait for the answer, and not for what is remembered.
//
// It may wait until its ctx ends. Where it returns an error, GitHub is not asked,
// and the error is what Token or NameOf comes to. It may be called from several
// goroutines. Nobody waits for the limit of another who.
func LimitLookUps(ctx context.Context, who string, allow func(context.Context) error) context.Context {
	return context.WithValue(ctx, lookUpsKey{}, &lookUpLimit{who, allow})
}

func limitOf(ctx context.Context) *lookUpLimit {
	limit, _ := ctx.Value(lookUpsKey{}).(*lookUpLimit)
	return limit
}

// unlimited returns a context within which nothing is counted as a look-up.
func unlimited(ctx context.Context) context.Context {
	if limitOf(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, lookUpsKey{}, nil)
}

// onBehalf returns the context of a flight within which questions count as in the
// context of who began it.
func (f *flights) onBehalf(flight, began context.Context) context.Context {
	return context.WithValue(WithBudget(flight, f.budgetOf(began)), lookUpsKey{}, limitOf(began))
}

// limitedKey tells flights apart that wait for the limits of different clients.
func limitedKey(ctx context.Context, key string) string {
	if limit := limitOf(ctx); limit != nil {
		return "limit|" + limit.who + "|" + key
	}
	return key
}

// onceLimited is once for a question that only the request names.
func onceLimited[T any](ctx context.Context, f *flights, key string, work func(context.Context) (T, error)) (T, error) {
	limit := limitOf(ctx)
	if limit == nil {
		return once(ctx, f, key, work)
	}
	waiting := WithBudget(ctx, nil) // who waits for a turn takes no place
	return once(waiting, f, limitedKey(ctx, key), func(flight context.Context) (zero T, err error) {
		if err := limit.allow(flight); err != nil {
			return zero, err
		}
		return once(f.onBehalf(flight, ctx), f, key, work)
	})
}
