package shared

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// countName is that of a count.
const countName = ":n"

// countLife is for how long a count stays to which nobody adds.
const countLife = 10 * time.Minute

// Count adds to counts, which all replicas add to, and returns what they come to. What is not there begins
// with nothing. An error means that nobody can tell; nothing or all may have been added.
func (s *Store) Count(ctx context.Context, add map[string]int64) (map[string]int64, error) {
	if len(add) == 0 {
		return nil, nil
	}
	return within(ctx, s, func(ctx context.Context) (map[string]int64, error) {
		sums := make(map[string]*redis.IntCmd, len(add))
		_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for key, n := range add {
				name := s.slot(key) + countName
				sums[key] = p.IncrBy(ctx, name, n)
				p.PExpire(ctx, name, countLife)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		all := make(map[string]int64, len(sums))
		for key, sum := range sums {
			all[key] = sum.Val()
		}
		return all, nil
	}, nil)
}
