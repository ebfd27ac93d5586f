package cli

import (
	"context"
	"crypto/tls"
	"log/slog"
	"time"

	"ghapp-proxy/certs"
)

// watchExpiry warns of CAs that expire soon, and of the proxy's own certificate, now and
// every day until ctx ends; of returns those in force.
func watchExpiry(ctx context.Context, of func() *authorities, own func() *tls.Certificate, log *slog.Logger) {
	daily := time.NewTicker(24 * time.Hour)
	defer daily.Stop()
	for {
		of().warnOfExpiry(log)
		if pair := own(); pair != nil && dueSoon(pair.Leaf, time.Now()) {
			log.Warn("the certificate that the proxy shows to its clients ends", "at", pair.Leaf.NotAfter, "remedy", "put another one in place of tls.cert_file and key_file")
		}
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
