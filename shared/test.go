package shared

import (
	"context"
	"fmt"
	"regexp"
	"time"
)

var serverVersion = regexp.MustCompile(`(?m)^(valkey|redis)_version:([0-9.]{1,20})\s*$`)

// Test does all that a Store does once, whatever was said of it before, and returns in a few words what answered, and how soon.
func (s *Store) Test(ctx context.Context) (string, error) {
	slot, generation := s.slot("test|"+s.me), generationOf(1)
	if err := s.Ping(ctx); err != nil {
		return "", err
	}
	begun := time.Now()
	if err := claimScript.Run(ctx, s.client, []string{slot + valueName, slot + leaseName}, generation, s.me, leaseTime.Milliseconds()).Err(); err != nil {
		return "", fmt.Errorf("take a lease: %w", err)
	}
	took := time.Since(begun)
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"file a value", func() error {
			return fileScript.Run(ctx, s.client, []string{slot + valueName, slot + leaseName}, s.me, generation, leaseTime.Milliseconds(), s.channel(), wakeMessage+slot).Err()
		}},
		{"read a value", func() error { return s.client.Get(ctx, slot+valueName).Err() }},
		{"count", func() error { return s.client.IncrBy(ctx, slot+countName, 1).Err() }},
		{"drop a count", func() error { return s.client.PExpire(ctx, slot+countName, leaseTime).Err() }},
		{"keep a set", func() error {
			return addScript.Run(ctx, s.client, []string{slot + setName, slot + versionName}, s.channel(), "", maxSet, s.me, leaseTime.Milliseconds()).Err()
		}},
		{"read a set", func() error { return readScript.Run(ctx, s.client, []string{slot + setName}, maxSet).Err() }},
		{"tell a thing", func() error { return s.client.Publish(ctx, s.channel(), "").Err() }},
		{"hear of it", func() error { return s.hears(ctx) }},
		{"write a value", func() error { return s.client.Set(ctx, s.opts.Prefix+"probe", s.me, time.Minute).Err() }},
	} {
		if err := step.do(); err != nil && !isNothing(err) {
			return "", fmt.Errorf("%s: %w", step.what, err)
		}
	}
	version := "no version"
	if text, err := s.client.Info(ctx, "server").Result(); err == nil { // which a user need not be allowed to ask
		if m := serverVersion.FindAllStringSubmatch(text, -1); m != nil {
			version = m[len(m)-1][1] + " " + m[len(m)-1][2]
		}
	}
	return fmt.Sprintf("%s, within %v", version, took.Round(10*time.Microsecond)), nil
}

// hears is whether the channel may be listened to.
func (s *Store) hears(ctx context.Context) error {
	messages := s.client.Subscribe(ctx, s.channel())
	defer messages.Close()
	_, err := messages.Receive(ctx)
	return err
}
