package cli

import (
	"context"
	"log/slog"
	"time"

	"ghapp-proxy/certs"
)

// watchExpiry warns of CAs that expire soon, now and every day until ctx ends; of
// returns those in force.
func watchExpiry(ctx context.Context, of func() *authorities, log *slog.Logger) {
	daily := time.NewTicker(24 * time.Hour)
	defer daily.Stop()
	for {
		of().warnOfExpiry(log)
		select {
		case <-ctx.Done():
			return
		case <-daily.C:
		}
	}
}

func (a *authorities) warnOfExpiry(log *slog.Logger) {
	for _, fault := range a.expiring() {
		log.Warn(fault.Reason.Error(), "file", fault.Path, "remedy", fault.Hint)
	}
}

// expiring says of which CAs the end is near.
func (a *authorities) expiring() (faults []*certs.Error) {
	for _, ca := range a.all {
		if fault := ca.Expiring(); fault != nil {
			faults = append(faults, fault)
		}
	}
	return faults
}
